//! Tests of the page and its own calls.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{get, post, request, send};
use crate::control_plane::{ControlPlane, Fault, When};

async fn save(cloud: &ControlPlane, gateway: &str, provider: &str) -> String {
    let form = json!({ "name": gateway, "poll_interval_secs": 60, "primary_provider": provider });
    let saved = post(cloud, &format!("/dev/gateways/{gateway}"), "", &form).await;
    assert_eq!(saved.status, StatusCode::OK, "{:?}", saved.body);
    saved.body["change_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_gateway_form_edits_only_its_settings() {
    let cloud = ControlPlane::start().await;
    cloud.authorize("radiology", "gw");
    let config = "# ours\n[proxy]\nid = \"gw\"\n\n[network.default.http]\nbind_port = 8080 # not 80\n";
    cloud.seed("gw", "gateway", config);
    let change = cloud.view(&save(&cloud, "gw", "local").await);
    assert_eq!(change.kind, "gateway");
    assert_eq!(
        change.toml_config,
        "# ours\n[proxy]\nid = \"gw\"\nprimary_provider = \"local\"\n\n[network.default.http]\n\
         bind_port = 8080 # not 80\n\n[provider.runbeam]\npoll_interval_secs = 60\n"
    );
    assert_eq!(cloud.document("gw", "gateway", "config"), Some(change.toml_config));
}

#[tokio::test]
async fn an_unknown_configuration_gets_only_the_form() {
    let cloud = ControlPlane::start().await;
    cloud.authorize("radiology", "gw");
    let change = cloud.view(&save(&cloud, "gw", "runbeam").await);
    let document: toml::Table = change.toml_config.parse().unwrap();
    let expected: toml::Table =
        "[proxy]\nprimary_provider = \"runbeam\"\n[provider.runbeam]\npoll_interval_secs = 60"
            .parse()
            .unwrap();
    assert_eq!(document, expected);
}

#[tokio::test]
async fn a_saved_document_is_issued_to_its_gateway() {
    let cloud = ControlPlane::start().await;
    let gateway = cloud.authorize("radiology", "gw").gateway_id;
    let new = json!({ "gateway_id": gateway, "type": "pipeline", "toml": "[pipelines.api]\n" });
    let saved = post(&cloud, "/dev/documents", "", &new).await.body;
    let id = saved["id"].as_str().unwrap();
    let edit = json!({ "gateway_id": gateway, "type": "pipeline", "id": id, "toml": "[pipelines.web]\n" });
    let edited = post(&cloud, "/dev/documents", "", &edit).await.body;
    assert_eq!(edited["id"], id, "{edited}");
    assert_eq!(cloud.view(edited["change_id"].as_str().unwrap()).toml_config, "[pipelines.web]\n");
    let read = get(&cloud, &format!("/dev/documents/{id}"), "").await.body;
    assert_eq!((&read["data"]["name"], &read["data"]["type"]), (&json!("web"), &json!("pipeline")));
    let foreign = cloud.authorize("radiology", "other").gateway_id;
    let foreign = json!({ "gateway_id": foreign, "type": "pipeline", "id": id, "toml": "[pipelines.web]\n" });
    assert_eq!(post(&cloud, "/dev/documents", "", &foreign).await.status, StatusCode::NOT_FOUND);
    let invalid = json!({ "gateway_id": gateway, "type": "pipeline", "toml": "[pipelines" });
    assert_eq!(post(&cloud, "/dev/documents", "", &invalid).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let state = get(&cloud, "/dev/state", "").await.body;
    assert_eq!(state["changes"].as_array().unwrap().len(), 2);
    assert_eq!(state["gateways"][0]["sync"], "never seen");
    assert_eq!(state["gateways"][0]["documents"], json!([{ "id": id, "type": "pipeline", "name": "web" }]));
}

#[tokio::test]
async fn the_page_is_exempt_from_faults_and_log() {
    let cloud = ControlPlane::start().await;
    cloud.inject(When::default(), Fault::Cut);
    assert_eq!(get(&cloud, "/dev/state", "").await.status, StatusCode::OK);
    assert!(cloud.requests().is_empty());
}

#[tokio::test]
async fn requests_from_another_site_are_403() {
    let cloud = ControlPlane::start().await;
    cloud.team("radiology");
    let body = json!({ "team": "radiology" }).to_string();
    let ask = |header: &'static str, value: &'static str| {
        let headers = [("content-type", "application/json"), (header, value)];
        let request = request(&cloud, "POST", "/dev/tokens", "").body(body.clone());
        send(headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)))
    };
    assert_eq!(ask("accept", "*/*").await.status, StatusCode::OK);
    assert_eq!(ask("origin", "http://evil.example").await.status, StatusCode::FORBIDDEN);
    assert_eq!(ask("host", "evil.example").await.status, StatusCode::FORBIDDEN);
    let form =
        request(&cloud, "POST", "/dev/tokens", "").header("content-type", "text/plain").body(body.clone());
    assert_eq!(send(form).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let cloud = ControlPlane::start().await;
    let begun = post(&cloud, "/cli/start-login", "", &Value::Null).await.body;
    for url in [format!("{}/", cloud.url()), begun["verification_url"].as_str().unwrap().to_owned()] {
        let page = crate::get(&url).await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{url}");
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = page.text().await.unwrap();
        let addresses = text.split("src=\"").chain(text.split("href=\"")).skip(1);
        for address in addresses.filter(|address| !address.starts_with("<!")) {
            assert!(
                address.starts_with(['/', '#', '?']) || address.starts_with("data:,"),
                "{url}: {address}"
            );
        }
    }
}

/// The page shows the state, so a name that leads to this machine (DNS rebinding) does not get it.
#[tokio::test]
async fn the_page_is_for_this_machine() {
    let cloud = ControlPlane::start().await;
    let named = |host| send(request(&cloud, "GET", "/", "").header("host", host));
    assert_eq!(named("evil.example").await.status, StatusCode::FORBIDDEN);
    let tag = crate::get(format!("{}/", cloud.url())).await.unwrap().headers()["etag"].clone();
    let again = crate::client().get(format!("{}/", cloud.url())).header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn documents_and_gateways_are_deleted_with_what_belongs_to_them() {
    let cloud = ControlPlane::start().await;
    let gateway = cloud.authorize("radiology", "gw").gateway_id;
    let new = json!({ "gateway_id": gateway, "type": "pipeline", "toml": "[pipelines.api]\n" });
    let id = post(&cloud, "/dev/documents", "", &new).await.body["id"].as_str().unwrap().to_owned();
    let other = cloud.authorize("radiology", "other").gateway_id;
    let delete = |gateway: &str| {
        let (path, body) = (format!("/dev/documents/{id}/delete"), json!({ "gateway_id": gateway }));
        let cloud = &cloud;
        async move { post(cloud, &path, "", &body).await.status }
    };
    assert_eq!(delete(&other).await, StatusCode::NOT_FOUND, "the document of another gateway");
    assert_eq!(delete(&gateway).await, StatusCode::OK);
    assert_eq!(cloud.document("gw", "pipeline", "api"), None);
    assert_eq!(cloud.changes("gw").len(), 1, "the change stays in the timeline");
    post(&cloud, "/dev/gateways/gw/delete", "", &json!({})).await;
    let state = get(&cloud, "/dev/state", "").await.body;
    assert_eq!(state["changes"], json!([]));
    assert_eq!(state["gateways"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_mistake_in_a_document_has_its_line() {
    let cloud = ControlPlane::start().await;
    let gateway = cloud.authorize("radiology", "gw").gateway_id;
    let broken =
        json!({ "gateway_id": gateway, "type": "pipeline", "toml": "[pipelines.api]\na = 1\nb = [\n" });
    let refused = post(&cloud, "/dev/documents", "", &broken).await;
    assert_eq!((refused.status, &refused.body["line"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(3)));
}
