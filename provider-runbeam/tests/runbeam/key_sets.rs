//! Published keys: the number of fetches, the lifetime, rotation.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provider_api::ErrorKind;
use serde_json::json;

use crate::answer::Answer;
use crate::claims::{Cloud, JWKS};
use crate::clock::{NOW, advance};
use crate::forge::{OURS, Rsa, THEIRS, key_set};
use crate::gateway::{Gateway, verify};

const HOUR: Duration = Duration::from_secs(3600);
const COOLDOWN: Duration = Duration::from_secs(60);

impl Cloud {
    fn fetches(&self) -> usize {
        self.stand_in.requests_to(JWKS).len()
    }

    fn publish(&self, keys: &'static [fn() -> &'static Rsa]) {
        self.stand_in.respond_with(move |request| {
            request.is_for(JWKS).then(|| {
                let keys: Vec<_> = keys.iter().map(|key| key()).collect();
                Answer::json(&key_set(&keys))
            })
        });
    }

    fn is_unavailable(&self) {
        self.stand_in.respond_with(|_| Some(Answer::status(503, &json!({ "error": "unavailable" }))));
    }

    /// Signs a token that is valid for a week.
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

/// The key pair of [`THEIRS`] under the id of [`OURS`].
static REPLACED: LazyLock<Rsa> = LazyLock::new(|| Rsa {
    kid: OURS.kid,
    signing: THEIRS.signing.clone(),
    public_pem: THEIRS.public_pem.clone(),
});

fn replaced() -> &'static Rsa {
    &REPLACED
}

/// Tokens with different unknown key ids of 201 bytes. They are built from encoded parts, since the test needs a million
/// of them.
struct UnknownKeyTokens {
    head: String,
    tail: String,
}

impl UnknownKeyTokens {
    fn new() -> Self {
        // The length of each part is a multiple of three, so that the base64 of the parts can be joined.
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

/// Returns the resident memory of this process, on systems with /proc.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
}

#[tokio::test]
async fn unknown_key_ids_share_one_fetch() {
    const EACH: usize = 250_000;
    let cloud = Cloud::publishing().await;
    let good = cloud.token(&OURS);
    verify(&cloud.provider, &good).await.unwrap();
    let unknown = UnknownKeyTokens::new();
    assert!(cloud.refusal(&unknown.token(0)).await.contains("does not publish"));
    let before = resident_kib();
    for round in 0..4 {
        for n in 0..EACH {
            let error = verify(&cloud.provider, &unknown.token(round * EACH + n)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            if n % 1_000 == 0 {
                assert_eq!(cloud.fetches(), 1 + round);
            }
        }
        assert_eq!(cloud.fetches(), 1 + round);
        advance(COOLDOWN).await;
    }
    verify(&cloud.provider, &good).await.unwrap();
    if let (Some(before), Some(after)) = (before, resident_kib()) {
        // A million stored ids would take 200 MiB. Tests that run at the same time take some memory as well.
        assert!(after < before + 64 * 1024, "{before} KiB, then {after} KiB");
    }
}

#[tokio::test]
async fn failed_fetch_is_not_repeated_per_request() {
    let cloud = Cloud::publishing().await;
    cloud.is_unavailable();
    let token = cloud.token(&OURS);
    for round in 1..=3 {
        for _ in 0..1_000 {
            assert_eq!(verify(&cloud.provider, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(cloud.fetches(), round);
        advance(Duration::from_secs(5)).await;
    }
    cloud.publish(&[ours]);
    verify(&cloud.provider, &token).await.unwrap();
}

#[tokio::test]
async fn first_requests_share_one_fetch() {
    let cloud = Cloud::publishing().await;
    let token: Arc<str> = cloud.token(&OURS).into();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (provider, token) = (Arc::clone(&cloud.provider), Arc::clone(&token));
            tokio::spawn(async move { verify(&provider, &token).await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(cloud.fetches(), 1);
}

#[tokio::test]
async fn keys_past_their_lifetime_are_not_used() {
    let mut cloud = Cloud::publishing().await;
    cloud.gateway.key_lifetime = 2 * HOUR;
    let provider = cloud.gateway.provider(&cloud.stand_in.url());
    let token = cloud.token(&OURS);
    verify(&provider, &token).await.unwrap();
    cloud.is_unavailable();
    // The keys stay valid while the control plane is unavailable.
    advance(2 * HOUR - Duration::from_secs(60)).await;
    verify(&provider, &token).await.unwrap();
    advance(Duration::from_secs(120)).await;
    assert_eq!(verify(&provider, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
    advance(Duration::from_secs(10)).await;
    cloud.publish(&[ours]);
    verify(&provider, &token).await.unwrap();
}

#[tokio::test]
async fn shorter_lifetime_applies_to_known_keys() {
    let mut cloud = Cloud::publishing().await;
    let token = cloud.token(&OURS);
    cloud.gateway.key_lifetime = 24 * HOUR;
    verify(&cloud.gateway.provider(&cloud.stand_in.url()), &token).await.unwrap();
    cloud.is_unavailable();
    advance(2 * HOUR).await;
    cloud.gateway.key_lifetime = 3 * HOUR;
    verify(&cloud.gateway.provider(&cloud.stand_in.url()), &token).await.unwrap();
    cloud.gateway.key_lifetime = HOUR;
    let strict = cloud.gateway.provider(&cloud.stand_in.url());
    assert_eq!(verify(&strict, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
    cloud.publish(&[ours]);
    advance(Duration::from_secs(10)).await;
    verify(&strict, &token).await.unwrap();
}

#[tokio::test]
async fn keys_are_refreshed_in_the_background() {
    let cloud = Cloud::publishing().await;
    let token = cloud.token(&OURS);
    verify(&cloud.provider, &token).await.unwrap();
    advance(20 * HOUR).await;
    verify(&cloud.provider, &token).await.unwrap();
    cloud.stand_in.wait_for_more_than(1).await;
    advance(20 * HOUR).await;
    cloud.is_unavailable();
    verify(&cloud.provider, &token)
        .await
        .expect("the keys were refreshed before the control plane became unavailable");
}

#[tokio::test]
async fn rotated_key_replaces_the_old_one() {
    let cloud = Cloud::publishing().await;
    let (old, new) = (cloud.token(&OURS), cloud.token(&THEIRS));
    verify(&cloud.provider, &old).await.unwrap();
    advance(COOLDOWN).await;
    cloud.publish(&[ours, theirs]);
    verify(&cloud.provider, &new).await.unwrap();
    verify(&cloud.provider, &old).await.expect("both are published");
    cloud.publish(&[theirs]);
    advance(COOLDOWN).await;
    assert!(cloud.refusal(&UnknownKeyTokens::new().token(1)).await.contains("does not publish"));
    assert!(cloud.refusal(&old).await.contains("does not publish"));
    verify(&cloud.provider, &new).await.unwrap();
    assert_eq!(cloud.fetches(), 3);
}

/// The control plane replaces a key and keeps its id: the new one is fetched, and the old one is no longer trusted.
#[tokio::test]
async fn key_replaced_under_its_id() {
    let cloud = Cloud::publishing().await;
    let (old, new) = (cloud.token(&OURS), cloud.token(&REPLACED));
    verify(&cloud.provider, &old).await.unwrap();
    cloud.publish(&[replaced]);
    assert!(cloud.refusal(&new).await.contains("does not match"), "the set was fetched a moment ago");
    assert_eq!(cloud.fetches(), 1);
    advance(COOLDOWN).await;
    verify(&cloud.provider, &new).await.unwrap();
    assert!(cloud.refusal(&old).await.contains("does not match"));
    assert_eq!(cloud.fetches(), 2);
    // And back again, with a restart of the gateway's provider in between.
    cloud.publish(&[ours]);
    advance(COOLDOWN).await;
    let reloaded = cloud.gateway.provider(&cloud.stand_in.url());
    verify(&reloaded, &old).await.unwrap();
    assert!(cloud.refusal(&new).await.contains("does not match"));
    assert_eq!(cloud.fetches(), 3);
}

/// While both are published under the id, both verify.
#[tokio::test]
async fn keys_with_the_same_id() {
    let cloud = Cloud::publishing().await;
    for keys in [&[ours, replaced] as &'static [fn() -> &'static Rsa], &[replaced, ours]] {
        cloud.publish(keys);
        let provider = Gateway::authorized().provider(&cloud.stand_in.url());
        verify(&provider, &cloud.token(&OURS)).await.unwrap();
        verify(&provider, &cloud.token(&REPLACED)).await.unwrap();
    }
}

#[tokio::test]
async fn forged_signatures_share_one_fetch() {
    let cloud = Cloud::publishing().await;
    let good = cloud.token(&OURS);
    verify(&cloud.provider, &good).await.unwrap();
    let forged = cloud.token(&REPLACED);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let flipped = format!("{message}.{}", signature.chars().rev().collect::<String>());
    for round in 0..3 {
        for token in [&forged, &flipped].into_iter().cycle().take(200) {
            assert_eq!(verify(&cloud.provider, token).await.unwrap_err().kind(), ErrorKind::Denied);
        }
        assert_eq!(cloud.fetches(), 1 + round);
        advance(COOLDOWN).await;
    }
    // The control plane is away: a forged token is still refused for what it is, and a good one is accepted.
    cloud.is_unavailable();
    for _ in 0..100 {
        assert!(cloud.refusal(&forged).await.contains("does not match"));
        verify(&cloud.provider, &good).await.unwrap();
    }
    assert_eq!(cloud.fetches(), 4);
}

/// A machine that was suspended: the wall clock has moved, and the monotonic one has not.
#[tokio::test]
async fn keys_age_by_the_wall_clock() {
    for (hours, fetches) in [(23, 1), (24, 2), (1_000, 2)] {
        let cloud = Cloud::publishing().await;
        let token = OURS.sign(&cloud.claims(json!({ "exp": NOW + 365 * 24 * 3600 })));
        verify(&cloud.provider, &token).await.unwrap();
        cloud.gateway.clock.set(NOW + hours * 3600);
        advance(Duration::from_secs(10)).await;
        verify(&cloud.provider, &token).await.unwrap();
        assert_eq!(cloud.fetches(), fetches, "{hours} h");
        cloud.is_unavailable();
        verify(&cloud.provider, &token).await.expect("the keys are new enough");
        cloud.gateway.clock.set(NOW + (hours + 24) * 3600);
        advance(Duration::from_secs(10)).await;
        assert_eq!(verify(&cloud.provider, &token).await.unwrap_err().kind(), ErrorKind::Unavailable);
        cloud.publish(&[ours]);
        advance(Duration::from_secs(10)).await;
        verify(&cloud.provider, &token).await.unwrap();
    }
}

#[tokio::test]
async fn reload_keeps_the_keys() {
    let cloud = Cloud::publishing().await;
    let token = cloud.token(&OURS);
    verify(&cloud.provider, &token).await.unwrap();
    cloud.is_unavailable();
    verify(&cloud.gateway.provider(&cloud.stand_in.url()), &token).await.unwrap();
}

#[tokio::test]
async fn key_sets_of_meshes_are_separate() {
    let mut cloud = Cloud::publishing().await;
    cloud.stand_in.respond_with(|request| {
        let key = if request.is_for("theirs.json") { theirs() } else { ours() };
        request.is_for(".json").then(|| Answer::json(&key_set(&[key])))
    });
    cloud.gateway.jwks_url = Some(format!("{}/theirs.json", cloud.stand_in.url()));
    let other = cloud.gateway.provider(&cloud.stand_in.url());
    verify(&cloud.provider, &cloud.token(&OURS)).await.unwrap();
    verify(&other, &cloud.token(&THEIRS)).await.unwrap();
    assert_eq!(verify(&other, &cloud.token(&OURS)).await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(verify(&cloud.provider, &cloud.token(&THEIRS)).await.unwrap_err().kind(), ErrorKind::Denied);
}
