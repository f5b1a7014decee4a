//! Every call that sends a request to the control plane, for tests of properties that all of them have.

use std::sync::Arc;

use provider_api::{
    ChangeStatus, DocumentKind, EnrollmentRequest, Provider, Publication, RejectionClass, RejectionReport,
    Result, Secret, TokenRequest,
};
use serde_json::json;

use crate::forge::{OURS, good_claims};
use crate::gateway::{URL, change, enrollment, imaging, mesh_auth, source, verify};

pub(crate) const USER_TOKEN: &str = "7|canary-user-token-that-nobody-may-see";

/// The names of the calls.
pub(crate) const ALL: [&str; 10] = [
    "pending", "fetch", "received", "applied", "rejected", "resolve", "issue", "publish", "enroll", "verify",
];

/// Makes the call `name`.
pub(crate) async fn call(provider: &Arc<dyn Provider>, name: &str) -> Result<()> {
    let (source, id) = (source(provider), change("01CHANGE"));
    match name {
        "pending" => source.pending().await.map(drop),
        "fetch" => source.fetch(&id).await.map(drop),
        "received" => source.report(&id, &ChangeStatus::Received).await,
        "applied" => source.report(&id, &ChangeStatus::Applied).await,
        "rejected" => source.report(&id, &ChangeStatus::Rejected(rejection())).await,
        "resolve" => {
            let reference = "runbeam.acme.ingress.name.fhir".parse().unwrap();
            provider.resolver().unwrap().resolve(&reference).await.map(drop)
        }
        "issue" => {
            let request =
                TokenRequest { mesh: imaging(), destination: URL.to_owned(), sender: "gateway-a".to_owned() };
            mesh_auth(provider).issue(&request).await.map(drop)
        }
        "publish" => {
            let publication =
                Publication { kind: &DocumentKind::Pipeline, id: None, document: "[pipelines.x]\n" };
            provider.publisher().unwrap().publish(&publication).await.map(drop)
        }
        "enroll" => enrollment(provider).enroll(&enrollment_request()).await.map(drop),
        "verify" => verify(provider, &OURS.sign(&good_claims("https://api.example"))).await.map(drop),
        other => panic!("no such call: {other}"),
    }
}

pub(crate) fn enrollment_request() -> EnrollmentRequest {
    EnrollmentRequest {
        user_token: Secret::new(USER_TOKEN),
        gateway_code: "edge".to_owned(),
        machine_public_key: None,
        metadata: Vec::new(),
        storage_key: None,
        replace: false,
    }
}

fn rejection() -> RejectionReport {
    RejectionReport {
        class: RejectionClass::Validate,
        summary: "no such network".to_owned(),
        problems: vec!["pipelines/x.toml:2: no such network".to_owned()],
    }
}

/// Returns the response of the control plane to a user who authorizes a gateway.
pub(crate) fn authorized(token: &str) -> serde_json::Value {
    json!({
        "machine_token": token, "expires_in": 2_592_000.0, "expires_at": "2099-01-01T00:00:00.000000Z",
        "gateway": { "id": "01GATEWAY", "code": "edge", "name": "Edge" }, "abilities": ["harmony:read"],
    })
}
