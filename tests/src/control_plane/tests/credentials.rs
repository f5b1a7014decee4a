//! Tests of credentials: authorizing, revoking, logging in.

use reqwest::StatusCode;
use serde_json::json;

use super::client::{get, post, request, send};
use crate::control_plane::{ControlPlane, Credential};

#[tokio::test]
async fn a_user_authorizes_a_gateway() {
    let cloud = ControlPlane::start().await;
    for user in [cloud.user_token("radiology"), cloud.sanctum_token("radiology")] {
        let body = json!({ "token": user, "gateway_code": "gw", "metadata": ["version: 1"] });
        let answer = post(&cloud, "/harmony/authorize", &user, &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        assert!(answer.body["expires_in"].as_f64().unwrap() > 29.0 * 86400.0);
        let token = answer.body["machine_token"].as_str().unwrap();
        assert_eq!(get(&cloud, "/harmony/changes", token).await.status, StatusCode::OK);
    }
    let foreign = cloud.user_token("cardiology");
    let body = json!({ "token": foreign, "gateway_code": "gw" });
    assert_eq!(post(&cloud, "/harmony/authorize", &foreign, &body).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_wrong_kind_of_token_is_401() {
    let cloud = ControlPlane::start().await;
    let machine = cloud.authorize("radiology", "gw").machine_token;
    let user = cloud.user_token("radiology");
    let authorize = json!({ "token": machine, "gateway_code": "gw" });
    let update = json!({ "type": "gateway", "config": "[proxy]\nid = \"gw\"\n" });
    let no_user = post(&cloud, "/harmony/authorize", &machine, &authorize).await;
    assert_eq!(no_user.status, StatusCode::UNAUTHORIZED);
    assert!(no_user.body["message"].is_string() && no_user.body["error"].is_string());
    assert_eq!(post(&cloud, "/harmony/update", &user, &update).await.status, StatusCode::UNAUTHORIZED);
    for scheme in ["bearer ", "Basic ", "Bearer  ", "Bearer x", ""] {
        let request = request(&cloud, "GET", "/harmony/changes", "")
            .header("authorization", format!("{scheme}{machine}"));
        assert_eq!(send(request).await.status, StatusCode::UNAUTHORIZED, "{scheme}");
    }
    assert_eq!(get(&cloud, "/harmony/changes", "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn revoked_and_expired_tokens_are_401() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    cloud.expire("gw");
    let expired = get(&cloud, "/harmony/changes", &token).await;
    assert_eq!(expired.status, StatusCode::UNAUTHORIZED);
    let token = cloud.authorize("radiology", "gw").machine_token;
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, StatusCode::OK);
    cloud.revoke("gw");
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn malformed_requests_are_rejected() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    let update = |body: &'static str, kind: &str| {
        request(&cloud, "POST", "/harmony/update", &token).header("content-type", kind).body(body)
    };
    let cases = [
        ("{}", "text/plain", 415),
        ("{", "application/json", 400),
        ("{}", "application/json", 422),
        (r#"{"type":"gateway","config":"a = 1","more":1}"#, "application/json", 422),
        (r#"{"type":"router","config":"a = 1"}"#, "application/json", 422),
        (r#"{"type":"gateway","config":" "}"#, "application/json", 422),
        (r#"{"type":"gateway","config":"a = "}"#, "application/json", 422),
        (r#"{"type":"pipeline","config":"a = 1"}"#, "application/json; charset=utf-8", 422),
        (r#"{"type":"pipeline","id":" ","config":"[pipelines.a]"}"#, "application/json", 422),
    ];
    for (body, kind, status) in cases {
        assert_eq!(send(update(body, kind)).await.status.as_u16(), status, "{body}");
    }
    assert_eq!(get(&cloud, "/harmony/nothing", &token).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&cloud, "/harmony//changes", &token).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&cloud, "/harmony/update", &token).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_user_approves_a_login() {
    let cloud = ControlPlane::start().await;
    cloud.team("radiology");
    for prefix in ["", "/api", "/api/api"] {
        let begun = post(&cloud, &format!("{prefix}/cli/start-login"), "", &json!({})).await.body;
        let device = begun["device_token"].as_str().unwrap();
        let check = format!("{prefix}/cli/check-login/{device}");
        assert_eq!(get(&cloud, &check, "").await.body["status"], "pending");
        cloud.approve_login(device, "radiology");
        let done = get(&cloud, &check, "").await.body;
        assert_eq!(done["status"], "authenticated");
        let token = done["token"].as_str().unwrap();
        assert_eq!(get(&cloud, "/gateways", token).await.status, StatusCode::OK);
    }
    assert_eq!(get(&cloud, "/api/cli/check-login/none", "").await.body["status"], "invalid");
}

#[tokio::test]
async fn the_log_names_callers_and_redacts_tokens() {
    let cloud = ControlPlane::start().await;
    let user = cloud.user_token("radiology");
    let body = json!({ "token": user, "gateway_code": "gw" });
    let answer = post(&cloud, "/api/harmony/authorize", &user, &body).await.body;
    get(&cloud, "/harmony/changes?page=1", answer["machine_token"].as_str().unwrap()).await;
    let [first, second] = &cloud.requests()[..] else { panic!("{:?}", cloud.requests()) };
    assert_eq!(first.credential, Credential::UserJwt);
    assert_eq!(first.body.as_ref().unwrap()["token"], "[redacted]");
    assert_eq!((first.route.as_str(), first.path.as_str()), ("/harmony/authorize", "/api/harmony/authorize"));
    assert_eq!(second.gateway_id.as_deref(), answer["gateway"]["id"].as_str());
    assert_eq!((second.status, second.query.as_deref()), (Some(200), Some("page=1")));
    assert_eq!(cloud.count("POST", "/harmony/authorize"), 1);
}
