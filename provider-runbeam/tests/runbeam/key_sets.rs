//! Published keys: how often they are asked for, and for how long they are believed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provider_api::ErrorKind;
use serde_json::json;

use crate::answer::Answer;
use crate::claims::{Cloud, JWKS};
use crate::clock::{NOW, turn};
use crate::forge::{OURS, Rsa, THEIRS, key_set};
use crate::gateway::verify;

const HOUR: Duration = Duration::from_secs(3600);
const COOLDOWN: Duration = Duration::from_secs(60);

impl Cloud {
    fn fetches(&self) -> usize {
        self.stand_in.asked_for(JWKS).len()
    }

    fn publish(&self, keys: &'static [fn() -> &'static Rsa]) {
        self.stand_in.answer_instead(move |asked| {
            asked.is_for(JWKS).then(|| {
                let keys: Vec<_> = keys.iter().map(|key| key()).collect();
                Answer::json(&key_set(&keys))
            })
        });
    }

    fn is_away(&self) {
        self.stand_in.answer_instead(|_| Some(Answer::status(503, &json!({ "error": "away" }))));
    }

    /// A token that a key signed, valid for a week.
    fn token(&self, key: &Rsa) -> String {
        key.sign(&self.claims(json!({ "exp": NOW + 7 * 24 * 3600 })))
    }
}

fn ours() -> &'static Rsa {
    &OURS
}

fn theirs() -> &'static Rsa {
    &THEIRS
}

/// Tokens with ids of 201 bytes, all different. Put together from parts that are encoded already: there
/// will be a million of them.
struct Strangers {
    head: String,
    tail: String,
}

impl Strangers {
    fn new() -> Self {
        // Each part is a multiple of three bytes, so that their encodings can be joined.
        let head = format!("{{\"alg\":\"RS256\",  \"kid\":\"{}", "k".repeat(192));
        assert_eq!(head.len() % 3, 0);
        Self {
            head: URL_SAFE_NO_PAD.encode(head),
            tail: format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode("\"}")),
        }
    }

    fn token(&self, n: usize) -> String {
        format!("{}{}{}", self.head, URL_SAFE_NO_PAD.encode(format!("{n:09}")), self.tail)
    }
}

/// The memory this process holds, where the system says so.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
}

#[tokio::test]
async fn a_million_unknown_key_ids_cost_one_fetch_per_cooldown_and_no_memory() {
    const EACH: usize = 250_000;
    let cloud = Cloud::publishing().await;
    let good = cloud.token(&OURS);
    verify(&cloud.provider, &good).await.unwrap();
    let strangers = Strangers::new();
    assert!(cloud.refusal(&strangers.token(0)).await.contains("does not publish"));
    let before = resident_kib();
    for round in 0..4 {
        for n in 0..EACH {
            let error = verify(&cloud.provider, &strangers.token(round * EACH + n)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            if n % 1_000 == 0 {
                assert_eq!(cloud.fetches(), 1 + round);
            }
        }
        assert_eq!(cloud.fetches(), 1 + round);
        turn(COOLDOWN).await;
    }
    verify(&cloud.provider, &good).await.unwrap();
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        // To remember the ids takes 200 MiB; the tests beside this one take some as well.
        assert!(after < before + 64 * 1024, "{before} KiB, then {after} KiB");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_let_nobody_in_and_are_not_asked_for_per_request() {
    let cloud = Cloud::publishing().await;
    cloud.is_away();
    let token = cloud.token(&OURS);
    for round in 1..=3 {
        for _ in 0..1_000 {
            assert_eq!(verify(&cloud.provider, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(cloud.fetches(), round);
        turn(Duration::from_secs(5)).await;
    }
    cloud.publish(&[ours]);
    verify(&cloud.provider, &token).await.unwrap();
}

#[tokio::test]
async fn however_many_come_first_the_keys_are_fetched_once() {
    let cloud = Cloud::publishing().await;
    let token: Arc<str> = cloud.token(&OURS).into();
    let asking: Vec<_> = (0..1_000)
        .map(|_| {
            let (provider, token) = (Arc::clone(&cloud.provider), Arc::clone(&token));
            tokio::spawn(async move { verify(&provider, &token).await.is_ok() })
        })
        .collect();
    for one in asking {
        assert!(one.await.unwrap());
    }
    assert_eq!(cloud.fetches(), 1);
}

#[tokio::test]
async fn keys_are_not_used_when_they_are_older_than_the_configuration_permits() {
    let mut cloud = Cloud::publishing().await;
    cloud.gateway.key_lifetime = 2 * HOUR;
    let provider = cloud.gateway.provider(&cloud.stand_in.url());
    let token = cloud.token(&OURS);
    verify(&provider, &token).await.unwrap();
    cloud.is_away();
    // A control plane that is away takes nothing away before its time.
    turn(2 * HOUR - Duration::from_secs(60)).await;
    verify(&provider, &token).await.unwrap();
    turn(Duration::from_secs(120)).await;
    assert_eq!(verify(&provider, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
    turn(Duration::from_secs(10)).await;
    cloud.publish(&[ours]);
    verify(&provider, &token).await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_permits_less_holds_for_keys_that_are_known_already() {
    let mut cloud = Cloud::publishing().await;
    let token = cloud.token(&OURS);
    cloud.gateway.key_lifetime = 24 * HOUR;
    verify(&cloud.gateway.provider(&cloud.stand_in.url()), &token).await.unwrap();
    cloud.is_away();
    turn(2 * HOUR).await;
    cloud.gateway.key_lifetime = 3 * HOUR;
    verify(&cloud.gateway.provider(&cloud.stand_in.url()), &token).await.unwrap();
    cloud.gateway.key_lifetime = HOUR;
    let strict = cloud.gateway.provider(&cloud.stand_in.url());
    assert_eq!(verify(&strict, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
    cloud.publish(&[ours]);
    turn(Duration::from_secs(10)).await;
    verify(&strict, &token).await.unwrap();
}

#[tokio::test]
async fn keys_are_fetched_ahead_of_their_end_and_nobody_waits_for_it() {
    let cloud = Cloud::publishing().await;
    let token = cloud.token(&OURS);
    verify(&cloud.provider, &token).await.unwrap();
    turn(20 * HOUR).await;
    verify(&cloud.provider, &token).await.unwrap();
    cloud.stand_in.reached_more_than(1).await;
    turn(20 * HOUR).await;
    cloud.is_away();
    verify(&cloud.provider, &token).await.expect("the keys that were fetched ahead");
}

#[tokio::test]
async fn a_rotated_key_is_found_when_it_is_first_used_and_the_old_one_then_counts_no_more() {
    let cloud = Cloud::publishing().await;
    let (old, new) = (cloud.token(&OURS), cloud.token(&THEIRS));
    verify(&cloud.provider, &old).await.unwrap();
    turn(COOLDOWN).await;
    cloud.publish(&[ours, theirs]);
    verify(&cloud.provider, &new).await.unwrap();
    verify(&cloud.provider, &old).await.expect("both are published");
    cloud.publish(&[theirs]);
    turn(COOLDOWN).await;
    assert!(cloud.refusal(&Strangers::new().token(1)).await.contains("does not publish"));
    assert!(cloud.refusal(&old).await.contains("does not publish"));
    verify(&cloud.provider, &new).await.unwrap();
    assert_eq!(cloud.fetches(), 3);
}

#[tokio::test]
async fn a_new_configuration_goes_on_with_the_keys_that_are_known() {
    let cloud = Cloud::publishing().await;
    let token = cloud.token(&OURS);
    verify(&cloud.provider, &token).await.unwrap();
    cloud.is_away();
    verify(&cloud.gateway.provider(&cloud.stand_in.url()), &token).await.unwrap();
}

#[tokio::test]
async fn keys_of_one_set_prove_nothing_to_a_mesh_with_another() {
    let mut cloud = Cloud::publishing().await;
    cloud.stand_in.answer_instead(|asked| {
        let key = if asked.is_for("theirs.json") { theirs() } else { ours() };
        asked.is_for(".json").then(|| Answer::json(&key_set(&[key])))
    });
    cloud.gateway.jwks_url = Some(format!("{}/theirs.json", cloud.stand_in.url()));
    let other = cloud.gateway.provider(&cloud.stand_in.url());
    verify(&cloud.provider, &cloud.token(&OURS)).await.unwrap();
    verify(&other, &cloud.token(&THEIRS)).await.unwrap();
    assert_eq!(verify(&other, &cloud.token(&OURS)).await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(verify(&cloud.provider, &cloud.token(&THEIRS)).await.unwrap_err().kind(), ErrorKind::Denied);
}
