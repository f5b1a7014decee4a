//! The official SDK as an independent client of the control plane.

use harmony_tests::control_plane::{ControlPlane, Status};
use jsonwebtoken::jwk::JwkSet;
use runbeam_sdk::runbeam_api::types::{ApiError, RunbeamError};
use runbeam_sdk::{JwtValidationOptions, RunbeamClient, validate_jwt_token};

const PIPELINE: &str = r#"
[pipelines.api]
description = "FHIR"
networks = ["default"]
endpoints = ["api"]
backends = ["store"]
[pipelines.api.mesh.ingress.our-api]
type = "http"
urls = ["https://api.example.com/r4"]
mode = "mesh"
[pipelines.api.mesh.egress.to-partner]
type = "http"
backend = "store"
[endpoints.api]
service = "fhir"
[backends.store]
service = "http"
timeout_secs = 7
options.base_url = "http://127.0.0.1:9000"
"#;

const MESH: &str = r#"
[mesh.imaging]
type = "http"
provider = "runbeam"
ingress = ["our-api"]
egress = ["to-partner"]
"#;

/// A control plane with a gateway, and two SDK clients: with and without `/api` in the base URL.
struct Sdk {
    cloud: ControlPlane,
    clients: [RunbeamClient; 2],
    token: String,
    gateway: String,
}

impl Sdk {
    async fn start() -> Self {
        let cloud = ControlPlane::start().await;
        let machine = cloud.authorize("radiology-dept", "scanner-1");
        cloud.seed("scanner-1", "pipeline", PIPELINE);
        let plain = RunbeamClient::new(cloud.url());
        let discovered = plain.discover_base_url(&machine.machine_token).await.unwrap();
        assert_eq!(discovered.base_url(), format!("{}/api", cloud.url()));
        Self {
            cloud,
            clients: [plain, discovered],
            token: machine.machine_token,
            gateway: machine.gateway_id,
        }
    }
}

fn status<T: std::fmt::Debug>(outcome: Result<T, RunbeamError>) -> u16 {
    match outcome.unwrap_err() {
        RunbeamError::Api(ApiError::Http { status, .. }) => status,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_sdk_authorizes_a_gateway() {
    let cloud = ControlPlane::start().await;
    let client = RunbeamClient::new(cloud.url());
    for token in [cloud.user_token("radiology-dept"), cloud.sanctum_token("radiology-dept")] {
        let metadata = Some(vec!["version: 1".to_owned()]);
        let answer =
            client.authorize_gateway(token, "scanner-1", Some("key".to_owned()), metadata).await.unwrap();
        assert_eq!(answer.gateway.code, "scanner-1");
        assert_eq!(answer.gateway.id, cloud.gateway_id("scanner-1"));
        assert!(answer.gateway.authorized_by.unwrap().email.contains('@'));
        assert!(answer.expires_in > 29.0 * 86400.0 && !answer.abilities.is_empty());
        let changes = client.list_changes_for_gateway(answer.machine_token, answer.gateway.id).await.unwrap();
        assert!(changes.data.is_empty());
    }
    assert_eq!(status(client.authorize_gateway("7|nobody", "scanner-1", None, None).await), 401);
}

#[tokio::test]
async fn the_sdk_reports_verdicts() {
    let sdk = Sdk::start().await;
    for (client, valid) in sdk.clients.iter().zip([true, false]) {
        let id = sdk.cloud.put_document("scanner-1", "pipeline", PIPELINE);
        let listed = client.list_changes_for_gateway(&sdk.token, &sdk.gateway).await.unwrap();
        assert_eq!(listed.data.len(), 1);
        assert_eq!(
            (listed.data[0].id.as_str(), listed.data[0].status.as_deref()),
            (id.as_str(), Some("pending"))
        );
        assert_eq!(listed.data[0].toml_config, None);
        assert_eq!((listed.meta.unwrap().total, listed.links.unwrap().next), (1, None));
        assert_eq!(client.list_changes(&sdk.token).await.unwrap().data[0].id, id);

        let detail = client.get_change(&sdk.token, &id).await.unwrap().data;
        assert_eq!(detail.toml_config.as_deref(), Some(PIPELINE));
        assert_eq!((detail.resource_type.as_str(), detail.gateway_id), ("pipeline", sdk.gateway.clone()));
        assert!(detail.pipeline_id.is_some());

        assert_eq!(status(client.mark_change_applied(&sdk.token, &id).await), 409);
        let acknowledged =
            client.acknowledge_changes(&sdk.token, vec![id.clone(), "none".to_owned()]).await.unwrap();
        assert_eq!(
            (acknowledged.acknowledged, acknowledged.failed),
            (vec![id.clone()], vec!["none".to_owned()])
        );
        let reported = match valid {
            true => client.mark_change_applied(&sdk.token, &id).await,
            false => {
                let details = Some(vec!["line 3".to_owned()]);
                client.mark_change_failed(&sdk.token, &id, "no such network".to_owned(), details).await
            }
        };
        assert!(reported.unwrap().success);
        let settled = sdk.cloud.wait_until_settled(&id).await;
        assert_eq!(settled.status, if valid { Status::Applied } else { Status::Failed });
        let after = client.get_change(&sdk.token, &id).await.unwrap().data;
        assert_eq!(after.applied_at.is_some(), valid);
        assert_eq!(after.error_message.as_deref(), (!valid).then_some("no such network"));
    }
}

/// The SDK pushes a configuration, and receives it back as a change.
#[tokio::test]
async fn the_sdk_pushes_a_configuration() {
    let sdk = Sdk::start().await;
    let [client, _] = &sdk.clients;
    let stored = client.store_config(&sdk.token, "mesh", None, MESH).await.unwrap();
    assert!(stored.success);
    assert_eq!((stored.data.model_type.as_str(), stored.data.action.as_str()), ("mesh", "created"));
    let listed = client.list_changes(&sdk.token).await.unwrap();
    let change = client.get_change(&sdk.token, &listed.data[0].id).await.unwrap().data;
    let config = change.toml_config.unwrap();
    assert!(config.contains(&stored.data.id));
    let again = client.store_config(&sdk.token, "mesh", Some(stored.data.id.clone()), config).await.unwrap();
    assert_eq!((again.data.id, again.data.action.as_str()), (stored.data.id, "updated"));
    assert_eq!(status(client.store_config(&sdk.token, "router", None, "a = 1").await), 422);
}

#[tokio::test]
async fn the_sdk_lists_resources() {
    let sdk = Sdk::start().await;
    let user = sdk.cloud.user_token("radiology-dept");
    for client in &sdk.clients {
        for token in [&sdk.token, &user] {
            let gateways = client.list_gateways(token).await.unwrap();
            assert_eq!(gateways.data[0].id.as_deref(), Some(sdk.gateway.as_str()));
            for wanted in ["scanner-1", &sdk.gateway] {
                assert_eq!(client.get_gateway(token, wanted).await.unwrap().data.code, "scanner-1");
            }
            let services = client.list_services(token).await.unwrap().data;
            assert_eq!(services.iter().map(|s| s.code.as_str()).collect::<Vec<_>>(), ["fhir", "http"]);
            let service = client.get_service(token, services[0].id.clone().unwrap()).await.unwrap().data;
            assert_eq!((service.name.as_str(), &service.gateway_id), ("fhir", &sdk.gateway));
            assert_eq!(client.list_endpoints(token).await.unwrap().data[0].name, "api");
            let backends = client.list_backends(token).await.unwrap().data;
            assert_eq!(backends[0].url.as_deref(), Some("http://127.0.0.1:9000"));
            assert_eq!(backends[0].timeout_seconds, Some(7));
            let pipelines = client.list_pipelines(token).await.unwrap().data;
            assert_eq!((pipelines[0].code.as_str(), pipelines[0].description.as_str()), ("api", "FHIR"));
        }
    }
}

#[tokio::test]
async fn the_sdk_fetches_a_transform() {
    let sdk = Sdk::start().await;
    let id = sdk.cloud.transform("scanner-1", "flatten", r#"[{"operation":"shift"}]"#);
    for client in &sdk.clients {
        let transform = client.get_transform(&sdk.token, &id).await.unwrap().data;
        assert_eq!(transform.name, "flatten");
        assert_eq!(transform.options.unwrap().instructions.as_deref(), Some(r#"[{"operation":"shift"}]"#));
        assert_eq!(status(client.get_transform(&sdk.token, "01UNKNOWN").await), 404);
    }
}

#[tokio::test]
async fn the_sdk_resolves_references() {
    let sdk = Sdk::start().await;
    let [client, _] = &sdk.clients;
    let reference = "runbeam.radiology-dept.ingress.name.our-api";
    let answer = client.resolve_reference(&sdk.token, reference).await.unwrap();
    assert_eq!((answer.data.resource_type.as_str(), answer.meta.provider.as_str()), ("ingress", "runbeam"));
    assert_eq!(answer.data.urls, ["https://api.example.com/r4"]);
    assert_eq!((answer.data.mode.as_deref(), answer.data.enabled), (Some("mesh"), true));
    let by_id = client.resolve_reference(&sdk.token, format!("runbeam.id.{}", answer.data.id)).await.unwrap();
    assert_eq!(by_id.data.name, "our-api");
    assert_eq!(status(client.resolve_reference(&sdk.token, "runbeam.id.none").await), 404);
    assert_eq!(status(client.resolve_reference(&sdk.token, "our-api").await), 400);
}

#[tokio::test]
async fn the_sdk_gets_a_verifiable_mesh_token() {
    let sdk = Sdk::start().await;
    let [client, _] = &sdk.clients;
    let mesh = sdk.cloud.mesh("scanner-1", MESH);
    let url = "https://api.example.com/r4/Patient";
    let answer = client.request_mesh_token(&sdk.token, &mesh, url).await.unwrap();
    assert_eq!(answer.mesh_id, mesh);
    let keys = harmony_tests::get(format!("{}/api/.well-known/jwks.json", sdk.cloud.url())).await.unwrap();
    let keys: JwkSet = keys.json().await.unwrap();
    let kid = jsonwebtoken::decode_header(&answer.token).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[format!("mesh:{mesh}")]);
    validation.set_issuer(&[sdk.cloud.url()]);
    let token = jsonwebtoken::decode::<serde_json::Value>(&answer.token, &key, &validation).unwrap();
    assert_eq!(token.claims["dest_url"], url);
    let elsewhere = client.request_mesh_token(&sdk.token, &mesh, "https://api.example.com/r4evil").await;
    assert_eq!(status(elsewhere), 403);
}

#[tokio::test]
async fn the_sdk_validates_user_tokens() {
    let cloud = ControlPlane::start().await;
    let options = JwtValidationOptions::new()
        .with_trusted_issuers(vec![cloud.url().to_owned()])
        .with_required_claims(vec!["user".to_owned(), "team".to_owned()]);
    let claims = validate_jwt_token(&cloud.user_token("radiology-dept"), &options).await.unwrap();
    assert_eq!(claims.api_base_url(), cloud.url());
    assert_eq!(claims.team.unwrap().name, "radiology-dept");
    assert_eq!(claims.aud, None);
    let login =
        harmony_tests::client().post(format!("{}/api/cli/start-login", cloud.url())).send().await.unwrap();
    let login: serde_json::Value = login.json().await.unwrap();
    let device = login["device_token"].as_str().unwrap();
    cloud.approve_login(device, "radiology-dept");
    let done = harmony_tests::get(format!("{}/api/cli/check-login/{device}", cloud.url())).await.unwrap();
    let done: serde_json::Value = done.json().await.unwrap();
    let claims = validate_jwt_token(done["token"].as_str().unwrap(), &options).await.unwrap();
    assert_eq!((claims.api_base_url(), claims.user.unwrap().id), (cloud.url().to_owned(), claims.sub));
    // A key that is newer than the key set that the SDK has cached.
    cloud.rotate_keys();
    validate_jwt_token(&cloud.user_token("radiology-dept"), &options).await.unwrap();
    let foreign = ControlPlane::start().await.user_token("radiology-dept");
    assert!(validate_jwt_token(&foreign, &options).await.is_err());
}
