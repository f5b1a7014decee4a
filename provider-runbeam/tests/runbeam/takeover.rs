//! A bare token that worked: when it is revoked, the gateway is not anybody's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use provider_api::{ErrorKind, MachineCredential, Provider, Secret};
use provider_runbeam::Environment;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::calls::{authorized, enrollment_request};
use crate::credential::machine_credential;
use crate::gateway::{Gateway, enrollment, source};
use crate::stand_in::StandIn;

const BARE: &str = "7|canary";

/// A control plane that accepts every token, but the bare one only for its own list, and only until it is revoked. The
/// list has these changes.
async fn cloud(changes: Value) -> (StandIn, Arc<AtomicBool>) {
    let revoked = Arc::new(AtomicBool::new(false));
    let is_revoked = Arc::clone(&revoked);
    let stand_in = StandIn::answering(move |request| {
        let is_bare = request.bearer.as_deref() == Some(BARE);
        if request.is_for("base-url") {
            None
        } else if is_bare && is_revoked.load(Ordering::SeqCst) {
            Some(Answer::status(401, &json!({ "message": "revoked" })))
        } else if request.is_for("authorize") {
            Some(Answer::json(&authorized("enrolled-token")))
        } else if is_bare && !request.is_for("/harmony/changes") {
            Some(Answer::status(403, &json!({ "message": "another gateway" })))
        } else {
            Some(Answer::json(&json!({ "data": changes })))
        }
    })
    .await;
    (stand_in, revoked)
}

fn bare() -> Environment {
    Environment { machine_token: Some(Secret::new(BARE)), ..Environment::default() }
}

/// Tries to enroll the gateway with a token that was brought for `gateway`.
async fn bring(provider: &Arc<dyn Provider>, gateway: &str, replace: bool) -> Result<(), ErrorKind> {
    let credential =
        MachineCredential { gateway_id: gateway.to_owned(), replace, ..machine_credential("brought") };
    let adopted = enrollment(provider).adopt(credential).await;
    if let Err(error) = &adopted {
        assert!(error.to_string().contains("replace") && !error.to_string().contains("canary"), "{error}");
    }
    adopted.map(drop).map_err(|error| error.kind())
}

/// The refusal was noticed, was not noticed yet, or is of an earlier process: none of them opens the gateway. Replacing
/// it does.
#[tokio::test]
async fn revoked_bare_token_is_an_unknown_gateway() {
    for noticed in [false, true] {
        let (cloud, revoked) = cloud(json!([])).await;
        let first = Gateway::started(bare());
        let provider = first.provider(&cloud.url());
        source(&provider).pending().await.unwrap();
        assert_eq!(bring(&provider, "01STRANGER", false).await, Err(ErrorKind::Invalid));
        revoked.store(true, Ordering::SeqCst);
        if noticed {
            source(&provider).pending().await.unwrap_err();
        }
        let same_variable = Gateway::at(Arc::clone(&first.home), bare());
        let without = Gateway::at(Arc::clone(&first.home), Environment::default());
        for gateway in [&first, &same_variable, &without] {
            let provider = gateway.provider(&cloud.url());
            assert_eq!(bring(&provider, "01STRANGER", false).await, Err(ErrorKind::Invalid), "{noticed}");
            let error = enrollment(&provider).enroll(&enrollment_request()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        }
        let provider = without.provider(&cloud.url());
        bring(&provider, "01OPERATOR", true).await.unwrap();
        // From now on the gateway is the one that the operator chose.
        bring(&provider, "01OPERATOR", false).await.unwrap();
        assert_eq!(bring(&provider, "01STRANGER", false).await, Err(ErrorKind::Invalid));
    }
}

/// The control plane told the gateway of the bare token: its owner enrolls it again without `replace`.
#[tokio::test]
async fn revoked_bare_token_of_a_known_gateway() {
    let changes = json!([{ "id": "01A", "type": "mesh", "gateway_id": "01GATEWAY" }]);
    let (cloud, revoked) = cloud(changes).await;
    let first = Gateway::started(bare());
    let provider = first.provider(&cloud.url());
    source(&provider).pending().await.unwrap();
    revoked.store(true, Ordering::SeqCst);
    source(&provider).pending().await.unwrap_err();
    let without = Gateway::at(Arc::clone(&first.home), Environment::default());
    for gateway in [&first, &without] {
        let provider = gateway.provider(&cloud.url());
        assert_eq!(bring(&provider, "01STRANGER", false).await, Err(ErrorKind::Invalid));
    }
    bring(&without.provider(&cloud.url()), "01GATEWAY", false).await.unwrap();
}

/// A bare token that never worked says nothing: the gateway is enrolled as the first time.
#[tokio::test]
async fn bare_token_that_never_worked() {
    let (cloud, revoked) = cloud(json!([])).await;
    revoked.store(true, Ordering::SeqCst);
    let provider = Gateway::started(bare()).provider(&cloud.url());
    source(&provider).pending().await.unwrap_err();
    enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
}
