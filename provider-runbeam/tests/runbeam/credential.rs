//! The machine token: its sources, its expiry and refusal, and its replacement.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{CredentialStatus, ErrorKind, MachineCredential, Provider, Secret};
use provider_runbeam::Environment;
use serde_json::json;

use crate::answer::Answer;
use crate::calls::{authorized, enrollment_request};
use crate::gateway::{Gateway, TOKEN, enrollment, machine_token, source};
use crate::stand_in::{StandIn, list};

/// Starts a stand-in that accepts every token but `refused`.
pub(crate) async fn refusing(status: u16, refused: &'static str) -> StandIn {
    StandIn::answering(move |request| {
        if request.is_for("base-url") {
            None
        } else if request.bearer.as_deref() == Some(refused) {
            Some(Answer::status(status, &json!({ "message": "token revoked" })))
        } else if request.is_for("authorize") {
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

pub(crate) fn machine_credential(token: &str) -> MachineCredential {
    MachineCredential {
        token: Secret::new(token),
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000),
        gateway_id: "01GATEWAY".to_owned(),
        gateway_code: None,
        abilities: Vec::new(),
        control_plane: None,
        storage_key: None,
        replace: false,
    }
}

fn environment(machine_token: &str) -> Environment {
    Environment { machine_token: Some(Secret::new(machine_token)), ..Environment::default() }
}

/// Makes a call, and returns the token of its request.
pub(crate) async fn token_in_use(provider: &Arc<dyn Provider>, cloud: &StandIn) -> Option<String> {
    source(provider).pending().await.unwrap();
    cloud.requests().last().unwrap().bearer.clone()
}

/// Returns the error of a call that is unavailable. Panics when the error shows a token.
pub(crate) async fn unavailable(provider: &Arc<dyn Provider>) -> String {
    let error = source(provider).pending().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let all = format!("{error} {error:?} {provider:?}");
    assert!(!all.contains("canary"), "{all}");
    error.to_string()
}

#[tokio::test]
async fn bare_token_error_has_the_remedy() {
    let cloud = accepting().await;
    for bare in ["7|canary-machine-token", "eyJcanary.e30.c2ln", "\"canary\"", "machine_token=canary"] {
        let provider = Gateway::started(environment(bare)).provider(&cloud.url());
        let why = unavailable(&provider).await;
        for part in ["RUNBEAM_MACHINE_TOKEN", "bare token", "\"expires_at\"", "\"gateway_id\"", "unset it"] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Missing);
    }
    assert!(cloud.requests().is_empty(), "{:?}", cloud.requests());
}

#[tokio::test]
async fn invalid_object_is_not_quoted() {
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
async fn bare_token_does_not_block_enrollment() {
    let cloud = accepting().await;
    let provider = Gateway::started(environment("7|canary")).provider(&cloud.url());
    enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
    assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("enrolled-token"));
}

#[tokio::test]
async fn token_of_the_environment_is_stored() {
    let cloud = accepting().await;
    let first = Gateway::authorized();
    assert_eq!(token_in_use(&first.provider(&cloud.url()), &cloud).await.as_deref(), Some(TOKEN));
    let later = Gateway::at(Arc::clone(&first.home), Environment::default());
    assert_eq!(token_in_use(&later.provider(&cloud.url()), &cloud).await.as_deref(), Some(TOKEN));
}

#[tokio::test]
async fn without_a_token_no_request_is_sent() {
    let cloud = accepting().await;
    let provider = Gateway::unauthorized().provider(&cloud.url());
    let why = unavailable(&provider).await;
    assert!(why.contains("authorize it") && why.contains("RUNBEAM_MACHINE_TOKEN"), "{why}");
    assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Missing);
    assert!(cloud.requests().is_empty());
}

#[tokio::test]
async fn expired_token_is_replaced() {
    let cloud = accepting().await;
    let gateway = Gateway::authorized();
    let provider = gateway.provider(&cloud.url());
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }));
    gateway.clock.set(4_070_908_800);
    let why = unavailable(&provider).await;
    assert!(why.contains("2099-01-01") && why.contains("authorize"), "{why}");
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Expired { .. }));
    assert!(cloud.requests().is_empty(), "{:?}", cloud.requests());
    // Another process of this gateway stores a new token.
    let other = Gateway::at(Arc::clone(&gateway.home), Environment::default());
    let longer = SystemTime::UNIX_EPOCH + Duration::from_secs(5_000_000_000);
    let next = MachineCredential { expires_at: longer, ..machine_credential("next-token") };
    enrollment(&other.provider(&cloud.url())).adopt(next).await.unwrap();
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }));
    assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("next-token"));
}

#[tokio::test]
async fn refused_token_is_replaced() {
    for status in [401, 403] {
        let cloud = refusing(status, TOKEN).await;
        let gateway = Gateway::authorized();
        let provider = gateway.provider(&cloud.url());
        let why = unavailable(&provider).await;
        assert!(why.contains(&status.to_string()) && why.contains("token revoked"), "{why}");
        assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Refused, "{status}");
        // The refusal may have been a fault of the control plane, so the next call uses the token again.
        unavailable(&provider).await;
        let other = Gateway::at(Arc::clone(&gateway.home), Environment::default());
        enrollment(&other.provider(&cloud.url())).adopt(machine_credential("next-token")).await.unwrap();
        assert!(
            matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }),
            "{status}"
        );
        assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("next-token"));
        assert_eq!(
            token_in_use(&gateway.provider(&cloud.url()), &cloud).await.as_deref(),
            Some("next-token")
        );
    }
}

#[tokio::test]
async fn temporary_refusal_is_cleared() {
    let cloud = refusing(401, TOKEN).await;
    let provider = Gateway::authorized().provider(&cloud.url());
    unavailable(&provider).await;
    cloud.respond_with(|request| (!request.is_for("base-url")).then(|| Answer::json(&list(&[]))));
    source(&provider).pending().await.unwrap();
    assert!(matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }));
}

#[test]
fn build_does_no_io() {
    let gateway =
        Gateway::started(Environment { machine_token: Some(machine_token(TOKEN)), ..Environment::default() });
    let provider = gateway.provider("https://api.example");
    assert!(!gateway.state_dir().exists());
    assert!(!format!("{provider:?}").contains(TOKEN));
}
