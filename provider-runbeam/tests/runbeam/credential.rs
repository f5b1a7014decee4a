//! The machine token: its sources, its expiry and refusal, and its replacement.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{CredentialStatus, ErrorKind, MachineCredential, Provider, Secret};
use provider_runbeam::Environment;
use serde_json::json;

use crate::answer::Answer;
use crate::calls::{USER_TOKEN, authorized, enrollment_request};
use crate::gateway::{GATEWAY, Gateway, TOKEN, enrollment, machine_token, source};
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

/// The case `bare_machine_token`: the list of changes needs no gateway id.
#[tokio::test]
async fn bare_machine_token() {
    let cloud = accepting().await;
    for bare in ["7|canary-machine-token", "eyJcanary.e30.c2ln", " 7|canary= \n"] {
        let gateway = Gateway::started(environment(bare));
        let provider = gateway.provider(&cloud.url());
        assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some(bare.trim()));
        assert!(cloud.requests().pop().unwrap().is_for("/harmony/changes"));
        let status = enrollment(&provider).credential_status();
        assert_eq!(status, CredentialStatus::Valid { expires_at: None });
        let details = enrollment(&provider).credential_details();
        assert_eq!(details.source.as_deref(), Some("RUNBEAM_MACHINE_TOKEN"));
        assert_eq!((details.gateway_id, details.problem), (None, None));
    }
}

#[tokio::test]
async fn garbage_in_the_variable_is_named() {
    let cloud = accepting().await;
    for (garbage, what) in [
        ("\"canary\"", "quotation marks"),
        ("RUNBEAM_MACHINE_TOKEN=canary", "`=` within"),
        ("can ary", "white space within"),
        ("can\nary", "a line break within"),
        ("can\u{1b}[2Jary", "a control character"),
        ("canary\u{202e}", "not ASCII"),
        ("Bearer canary", "leave out the word `Bearer`"),
        ("=canary", "`=` within"),
        ("canary{", "a character that no token has"),
    ] {
        let gateway = Gateway::started(environment(garbage));
        let provider = gateway.provider(&cloud.url());
        let why = unavailable(&provider).await;
        for part in
            ["RUNBEAM_MACHINE_TOKEN cannot be used", what, "\"expires_at\"", "\"gateway_id\"", "unset it"]
        {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Missing);
        let problem = enrollment(&provider).credential_details().problem.unwrap();
        assert!(problem.contains("RUNBEAM_MACHINE_TOKEN") && !problem.contains("canary"), "{problem}");
        // It does not hide a stored token.
        enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
        let later = Gateway::at(Arc::clone(&gateway.home), environment(garbage));
        let later = later.provider(&cloud.url());
        assert_eq!(token_in_use(&later, &cloud).await.as_deref(), Some("enrolled-token"));
        assert!(enrollment(&later).credential_details().problem.is_some());
    }
    let sent = cloud.requests();
    let known = |bearer: &str| [USER_TOKEN, "enrolled-token"].contains(&bearer);
    assert!(sent.iter().all(|request| request.bearer.as_deref().is_none_or(known)), "{sent:?}");
}

/// A token of the environment that was refused, or that a user replaced, is not taken again after a restart.
#[tokio::test]
async fn used_up_token_is_not_taken_again() {
    for refuses in [true, false] {
        let cloud = if refuses { refusing(401, TOKEN).await } else { accepting().await };
        let gateway = Gateway::authorized();
        let provider = gateway.provider(&cloud.url());
        match refuses {
            true => drop(unavailable(&provider).await),
            false => drop(token_in_use(&provider, &cloud).await),
        }
        enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
        let memory = std::fs::read_to_string(gateway.state_dir().join(GATEWAY).join("seen-tokens.json"));
        assert!(!memory.unwrap().contains(TOKEN));
        let variable = || Environment { machine_token: Some(machine_token(TOKEN)), ..Environment::default() };
        for _ in 0..2 {
            let later = Gateway::at(Arc::clone(&gateway.home), variable());
            let later = later.provider(&cloud.url());
            assert_eq!(token_in_use(&later, &cloud).await.as_deref(), Some("enrolled-token"));
            let problem = enrollment(&later).credential_details().problem.unwrap();
            assert!(problem.contains("RUNBEAM_MACHINE_TOKEN is not used"), "{problem}");
        }
        // A new value of the variable is the newest.
        let variable = Environment { machine_token: Some(machine_token("newest")), ..Environment::default() };
        let later = Gateway::at(Arc::clone(&gateway.home), variable);
        assert_eq!(token_in_use(&later.provider(&cloud.url()), &cloud).await.as_deref(), Some("newest"));
    }
}

/// A dead token of the environment does not win by its later end, whatever its form: after a restart the token that a user
/// has authorized is used, and the status names it.
#[tokio::test]
async fn later_end_of_a_dead_token_counts_for_nothing() {
    let with_end = |end: &str| {
        json!({ "machine_token": "dead", "expires_at": end, "gateway_id": "01GATEWAY" }).to_string()
    };
    for dead in [with_end("2035-01-01T00:00:00Z"), with_end("2199-01-01T00:00:00Z"), "dead".to_owned()] {
        for status in [401, 403] {
            let cloud = refusing(status, "dead").await;
            let first = Gateway::started(environment(&dead));
            let provider = first.provider(&cloud.url());
            unavailable(&provider).await;
            let source = enrollment(&provider).credential_details().source.unwrap();
            assert!(source.starts_with("RUNBEAM_MACHINE_TOKEN"), "{dead}: {source}");
            let request = provider_api::EnrollmentRequest { replace: true, ..enrollment_request() };
            enrollment(&provider).enroll(&request).await.unwrap();
            let asked = cloud.requests().len();
            for _ in 0..2 {
                let later = Gateway::at(Arc::clone(&first.home), environment(&dead));
                let later = later.provider(&cloud.url());
                assert_eq!(token_in_use(&later, &cloud).await.as_deref(), Some("enrolled-token"), "{dead}");
                let details = enrollment(&later).credential_details();
                assert_eq!(details.source.as_deref(), Some("the stored machine token"), "{dead}");
                let problem = details.problem.unwrap_or_default();
                assert!(problem.contains("RUNBEAM_MACHINE_TOKEN is not used"), "{dead}: {problem}");
            }
            let sent = cloud.requests();
            assert!(sent[asked..].iter().all(|sent| sent.bearer.as_deref() != Some("dead")), "{dead}");
        }
    }
}

/// A refusal is remembered over a restart: a stored token that works is not given up for it.
#[tokio::test]
async fn refused_variable_does_not_replace_the_store() {
    let cloud = refusing(401, "revoked").await;
    let home = Gateway::unauthorized();
    enrollment(&home.provider(&cloud.url())).enroll(&enrollment_request()).await.unwrap();
    let variable = || Environment { machine_token: Some(machine_token("revoked")), ..Environment::default() };
    let first = Gateway::at(Arc::clone(&home.home), variable());
    unavailable(&first.provider(&cloud.url())).await;
    assert_eq!(
        token_in_use(&first.provider(&cloud.url()), &cloud).await.as_deref(),
        Some("enrolled-token"),
        "the newest that was not refused"
    );
    let later = Gateway::at(Arc::clone(&home.home), variable());
    let requests = cloud.requests().len();
    assert_eq!(token_in_use(&later.provider(&cloud.url()), &cloud).await.as_deref(), Some("enrolled-token"));
    assert!(cloud.requests()[requests..].iter().all(|sent| sent.bearer.as_deref() != Some("revoked")));
}

/// The code and name of the gateway are remembered with its credential, also over a restart and a token that comes
/// without them. Those of another gateway are not taken over.
#[tokio::test]
async fn names_of_the_gateway_are_remembered() {
    let cloud = accepting().await;
    let first = Gateway::unauthorized();
    let provider = first.provider(&cloud.url());
    enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
    let names = |provider: &Arc<dyn Provider>| {
        let details = enrollment(provider).credential_details();
        [details.gateway_id, details.gateway_code, details.gateway_name].map(Option::unwrap_or_default)
    };
    assert_eq!(names(&provider), ["01GATEWAY", "edge", "Edge"]);
    enrollment(&provider).adopt(machine_credential("brought-token")).await.unwrap();
    assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("brought-token"));
    let later = Gateway::at(Arc::clone(&first.home), Environment::default());
    let later = later.provider(&cloud.url());
    assert_eq!(token_in_use(&later, &cloud).await.as_deref(), Some("brought-token"));
    assert_eq!(names(&later), ["01GATEWAY", "edge", "Edge"]);
    let variable =
        Environment { machine_token: Some(machine_token("of-the-variable")), ..Environment::default() };
    let varied = Gateway::at(Arc::clone(&first.home), variable).provider(&cloud.url());
    assert_eq!(token_in_use(&varied, &cloud).await.as_deref(), Some("of-the-variable"));
    assert_eq!(names(&varied), ["01GATEWAY", "edge", "Edge"]);
    let other = MachineCredential {
        gateway_id: "01OTHER".to_owned(),
        replace: true,
        ..machine_credential("another-token")
    };
    enrollment(&varied).adopt(other).await.unwrap();
    assert_eq!(names(&varied), ["01OTHER", "", ""]);
}

/// The gateway of a bare token does not become another one without `replace`.
#[tokio::test]
async fn bare_token_says_which_gateway_it_is() {
    let cloud = StandIn::answering(|request| {
        if request.is_for("base-url") {
            None
        } else if request.is_for("authorize") {
            Some(Answer::json(&authorized("enrolled-token")))
        } else if request.is_for("/harmony/changes") {
            Some(Answer::json(&list(&[])))
        } else {
            Some(Answer::status(403, &json!({ "message": "another gateway" })))
        }
    })
    .await;
    let provider = Gateway::started(environment("7|canary")).provider(&cloud.url());
    let mut request = enrollment_request();
    let error = enrollment(&provider).enroll(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("7|canary"));
    request.replace = true;
    enrollment(&provider).enroll(&request).await.unwrap();
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
