//! Tests of rights: references and mesh tokens across teams.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{Reply, get, post};
use crate::control_plane::ControlPlane;

const THEIRS: &str = r#"
[pipelines.api]
endpoints = ["api"]
[pipelines.api.mesh.ingress.their-api]
type = "http"
urls = ["https://api.partner.example/r4"]
endpoint = "api"
mode = "mesh"
[endpoints.api]
service = "http"
"#;

const OURS: &str = r#"
[pipelines.out]
backends = ["partner"]
[pipelines.out.mesh.egress.to-partner]
type = "http"
backend = "partner"
[backends.partner]
service = "http"
options.base_url = "https://api.partner.example"
"#;

struct Partners {
    cloud: ControlPlane,
    token: String,
    mesh: String,
}

impl Partners {
    async fn start() -> Self {
        let cloud = ControlPlane::start().await;
        let token = cloud.authorize("radiology", "ours").machine_token;
        cloud.authorize("partner", "theirs");
        cloud.seed("theirs", "pipeline", THEIRS);
        cloud.seed("ours", "pipeline", OURS);
        let mesh = cloud.mesh("ours", &mesh("runbeam", true));
        Self { cloud, token, mesh }
    }

    async fn resolve(&self, reference: &str) -> Reply {
        get(&self.cloud, &format!("/harmony/resources/resolve?ref={reference}"), &self.token).await
    }

    async fn mesh_token(&self, token: &str, mesh: &str, destination: &str) -> Reply {
        let body = json!({ "mesh_id": mesh, "destination_url": destination });
        post(&self.cloud, "/harmony/mesh/token", token, &body).await
    }
}

fn mesh(provider: &str, enabled: bool) -> String {
    format!(
        "[mesh.imaging]\ntype = \"http\"\nprovider = \"{provider}\"\nauth_type = \"jwt\"\nenabled = {enabled}\n\
         ingress = [\"runbeam.partner.ingress.name.their-api\"]\negress = [\"to-partner\"]\n"
    )
}

#[tokio::test]
async fn every_form_of_reference_resolves() {
    let partners = Partners::start().await;
    let id = partners.cloud.resource_id("theirs", "ingress", "their-api");
    let forms = [
        "runbeam.partner.ingress.name.their-api".to_owned(),
        format!("runbeam.partner.ingress.id.{id}"),
        format!("runbeam.partner.id.{id}"),
        format!("staging.id.{id}"),
    ];
    for form in forms {
        let Reply { status, body } = partners.resolve(&form).await;
        assert_eq!(status, StatusCode::OK, "{form}");
        assert_eq!(body["data"]["id"], id.as_str());
        assert_eq!(body["data"]["urls"], json!(["https://api.partner.example/r4"]));
        assert_eq!(body["data"]["mode"], "mesh");
        assert_eq!(body["meta"]["provider"], form.split('.').next().unwrap());
    }
    let backend = partners.resolve("runbeam.radiology.backend.name.partner").await.body;
    assert_eq!(backend["data"]["urls"], json!(["https://api.partner.example"]));
    let egress = partners.resolve("runbeam.radiology.egress.name.to-partner").await.body;
    assert_eq!(egress["data"]["mesh_id"], partners.mesh.as_str());
    assert_eq!(egress["data"]["backend_id"], backend["data"]["id"]);
    let mesh = partners.resolve(&format!("runbeam.id.{}", partners.mesh)).await.body;
    assert_eq!(mesh["data"]["egress"], json!(["to-partner"]));
}

#[tokio::test]
async fn missing_private_and_malformed_references() {
    let partners = Partners::start().await;
    let form = "runbeam.partner.ingress.name.their-api";
    partners.cloud.make_private(&partners.cloud.resource_id("theirs", "ingress", "their-api"));
    assert_eq!(partners.resolve(form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(partners.resolve("runbeam.partner.ingress.name.none").await.status, StatusCode::NOT_FOUND);
    assert_eq!(partners.resolve("runbeam.nobody.ingress.name.their-api").await.status, StatusCode::NOT_FOUND);
    assert_eq!(partners.resolve("their-api").await.status, StatusCode::BAD_REQUEST);
    let nothing = get(&partners.cloud, "/harmony/resources/resolve", &partners.token).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_mesh_token_has_the_documented_claims() {
    let partners = Partners::start().await;
    let destination = "https://api.partner.example/r4/Patient";
    let answer = partners.mesh_token(&partners.token, &partners.mesh, destination).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let token = answer.body["token"].as_str().unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "dest_url", "exp", "iat", "iss", "jti", "mesh_id", "source_team", "sub"]);
    assert_eq!(claims["iss"], partners.cloud.url());
    assert_eq!(claims["sub"], format!("gateway:{}", partners.cloud.gateway_id("ours")));
    assert_eq!(claims["aud"], format!("mesh:{}", partners.mesh));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!(
        get(&partners.cloud, "/gateways", token).await.status,
        401,
        "a mesh token is not a user token"
    );
}

#[tokio::test]
async fn a_mesh_token_needs_a_right() {
    let partners = Partners::start().await;
    let there = "https://api.partner.example/r4";
    let status = async |token: &str, mesh: &str, url: &str| {
        partners.mesh_token(token, mesh, url).await.status.as_u16()
    };
    let theirs = partners.cloud.authorize("partner", "theirs").machine_token;
    assert_eq!(status(&theirs, &partners.mesh, there).await, 403, "no egress");
    assert_eq!(status(&partners.token, &partners.mesh, "https://api.partner.example/r4evil").await, 403);
    assert_eq!(status(&partners.token, &partners.mesh, "https://elsewhere.example/r4").await, 403);
    assert_eq!(status(&partners.token, "01UNKNOWN", there).await, 404);
    assert_eq!(status(&partners.token, " ", there).await, 422);
    assert_eq!(status(&partners.token, &partners.mesh, "not a URL").await, 422);
    assert_eq!(status(&partners.cloud.user_token("radiology"), &partners.mesh, there).await, 401);
    partners.cloud.mesh("ours", &mesh("runbeam", false));
    assert_eq!(status(&partners.token, &partners.mesh, there).await, 400, "disabled");
    partners.cloud.mesh("ours", &mesh("local", true));
    assert_eq!(status(&partners.token, &partners.mesh, there).await, 400, "a mesh of another provider");
}
