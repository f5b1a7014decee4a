//! The machine token: where it comes from, when it is good, and how a better one takes over.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{CredentialStatus, ErrorKind, MachineCredential, Provider, Secret};
use provider_runbeam::Environment;
use serde_json::json;

use crate::answer::Answer;
use crate::calls::{as_user, authorized};
use crate::gateway::{Gateway, TOKEN, enrollment, machine_token, source};
use crate::stand_in::{StandIn, list};

/// A control plane that takes every token but `refused`.
pub(crate) async fn refusing(status: u16, refused: &'static str) -> StandIn {
    StandIn::answering(move |asked| {
        if asked.is_for("base-url") {
            None
        } else if asked.bearer.as_deref() == Some(refused) {
            Some(Answer::status(status, &json!({ "message": "token revoked" })))
        } else if asked.is_for("authorize") {
            Some(Answer::json(&authorized("enrolled-token")))
        } else {
            Some(Answer::json(&list(&[])))
        }
    })
    .await
}

pub(crate) async fn accepting() -> StandIn {
    refusing(401, "none").await
}

pub(crate) fn brought(token: &str) -> MachineCredential {
    MachineCredential {
        token: Secret::new(token),
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000),
        gateway_id: "01GATEWAY".to_owned(),
        gateway_code: None,
        abilities: Vec::new(),
        control_plane: None,
        storage_key: None,
    }
}

fn environment(machine_token: &str) -> Environment {
    Environment { machine_token: Some(Secret::new(machine_token)), ..Environment::default() }
}

/// The call that says who the gateway is, and the token with which it was made.
pub(crate) async fn asks_with(provider: &Arc<dyn Provider>, cloud: &StandIn) -> Option<String> {
    source(provider).pending().await.unwrap();
    cloud.asked().last().unwrap().bearer.clone()
}

/// Why nothing can be asked: it says what to do, and shows no token.
pub(crate) async fn unavailable(provider: &Arc<dyn Provider>) -> String {
    let error = source(provider).pending().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let all = format!("{error} {error:?} {provider:?}");
    assert!(!all.contains("canary"), "{all}");
    error.to_string()
}

#[tokio::test]
async fn a_bare_token_in_the_environment_gets_an_answer_that_helps() {
    let cloud = accepting().await;
    for bare in ["7|canary-machine-token", "eyJcanary.e30.c2ln", "\"canary\"", "machine_token=canary"] {
        let provider = Gateway::started(environment(bare)).provider(&cloud.url());
        let why = unavailable(&provider).await;
        for part in ["RUNBEAM_MACHINE_TOKEN", "bare token", "\"expires_at\"", "\"gateway_id\"", "unset it"] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Missing);
    }
    assert!(cloud.asked().is_empty(), "{:?}", cloud.asked());
}

#[tokio::test]
async fn an_object_in_the_environment_that_is_no_machine_token_is_named_and_not_repeated() {
    let cloud = accepting().await;
    for bad in [
        r#"{"machine_token":"canary"}"#,
        r#"{"machine_token":"canary","expires_at":"tomorrow","gateway_id":"01GATEWAY"}"#,
        r#"{"machine_token":"can\nary","expires_at":"2099-01-01T00:00:00Z","gateway_id":"01GATEWAY"}"#,
        r#"{"machine_token":"canary","expires_at":"2099-01-01T00:00:00Z","gateway_id":"../x"}"#,
        r#"{"machine_token":"canary""#,
    ] {
        let provider = Gateway::started(environment(bad)).provider(&cloud.url());
        let why = unavailable(&provider).await;
        assert!(why.contains("RUNBEAM_MACHINE_TOKEN cannot be used"), "{why}");
    }
}

#[tokio::test]
async fn a_bare_token_does_not_keep_somebody_from_authorizing_the_gateway() {
    let cloud = accepting().await;
    let provider = Gateway::started(environment("7|canary")).provider(&cloud.url());
    enrollment(&provider).enroll(&as_user()).await.unwrap();
    assert_eq!(asks_with(&provider, &cloud).await.as_deref(), Some("enrolled-token"));
}

#[tokio::test]
async fn the_token_of_the_environment_is_used_and_still_there_when_it_is_unset() {
    let cloud = accepting().await;
    let first = Gateway::authorized();
    assert_eq!(asks_with(&first.provider(&cloud.url()), &cloud).await.as_deref(), Some(TOKEN));
    let later = Gateway::at(Arc::clone(&first.home), Environment::default());
    assert_eq!(asks_with(&later.provider(&cloud.url()), &cloud).await.as_deref(), Some(TOKEN));
}

#[tokio::test]
async fn without_a_token_nobody_is_asked() {
    let cloud = accepting().await;
    let provider = Gateway::stranger().provider(&cloud.url());
    let why = unavailable(&provider).await;
    assert!(why.contains("authorize it") && why.contains("RUNBEAM_MACHINE_TOKEN"), "{why}");
    assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Missing);
    assert!(cloud.asked().is_empty());
}

#[tokio::test]
async fn a_token_that_has_ended_is_unavailable_and_not_sent_and_the_next_one_is_picked_up() {
    let cloud = accepting().await;
    let gateway = Gateway::authorized();
    let provider = gateway.provider(&cloud.url());
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }));
    gateway.clock.set(4_070_908_800);
    let why = unavailable(&provider).await;
    assert!(why.contains("2099-01-01") && why.contains("authorize"), "{why}");
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Expired { .. }));
    assert!(cloud.asked().is_empty(), "{:?}", cloud.asked());
    // Another process of this gateway stores one.
    let other = Gateway::at(Arc::clone(&gateway.home), Environment::default());
    let longer = SystemTime::UNIX_EPOCH + Duration::from_secs(5_000_000_000);
    let next = MachineCredential { expires_at: longer, ..brought("next-token") };
    enrollment(&other.provider(&cloud.url())).adopt(next).await.unwrap();
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }));
    assert_eq!(asks_with(&provider, &cloud).await.as_deref(), Some("next-token"));
}

#[tokio::test]
async fn a_token_that_was_refused_is_unavailable_and_the_next_one_is_picked_up() {
    for status in [401, 403] {
        let cloud = refusing(status, TOKEN).await;
        let gateway = Gateway::authorized();
        let provider = gateway.provider(&cloud.url());
        let why = unavailable(&provider).await;
        assert!(why.contains(&status.to_string()) && why.contains("token revoked"), "{why}");
        assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Refused, "{status}");
        // It may have been a mistake: who asks again asks with it.
        unavailable(&provider).await;
        let other = Gateway::at(Arc::clone(&gateway.home), Environment::default());
        enrollment(&other.provider(&cloud.url())).adopt(brought("next-token")).await.unwrap();
        assert!(
            matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }),
            "{status}"
        );
        assert_eq!(asks_with(&provider, &cloud).await.as_deref(), Some("next-token"));
        assert_eq!(asks_with(&gateway.provider(&cloud.url()), &cloud).await.as_deref(), Some("next-token"));
    }
}

#[tokio::test]
async fn a_refusal_that_was_a_mistake_is_forgotten() {
    let cloud = refusing(401, TOKEN).await;
    let provider = Gateway::authorized().provider(&cloud.url());
    unavailable(&provider).await;
    cloud.answer_instead(|asked| (!asked.is_for("base-url")).then(|| Answer::json(&list(&[]))));
    source(&provider).pending().await.unwrap();
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }));
}

#[test]
fn building_a_provider_reads_and_writes_nothing() {
    let gateway =
        Gateway::started(Environment { machine_token: Some(machine_token(TOKEN)), ..Environment::default() });
    let provider = gateway.provider("https://api.example");
    assert!(!gateway.state_dir().exists());
    assert!(!format!("{provider:?}").contains(TOKEN));
}
