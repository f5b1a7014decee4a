//! Tests of changes: lists, verdicts and pushed documents.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{get, post, request, send};
use crate::control_plane::{ControlPlane, Status};

const PIPELINE: &str = "[pipelines.api]\nnetworks = [\"default\"]\n";

#[tokio::test]
async fn a_change_becomes_acknowledged_then_applied() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    let id = cloud.put_document("gw", "pipeline", PIPELINE);
    let list = format!("/harmony/changes/{}", cloud.gateway_id("gw"));

    let listed = get(&cloud, &list, &token).await.body;
    assert_eq!(listed["data"][0]["id"], id.as_str());
    assert_eq!(listed["data"][0]["status"], "pending");
    assert!(listed["data"][0].get("toml_config").is_none(), "lists are metadata only: {listed}");
    let detail = get(&cloud, &format!("/harmony/change/{id}"), &token).await.body;
    assert_eq!(detail["data"]["toml_config"], PIPELINE);
    assert_eq!(detail["data"]["pipeline_id"], cloud.resource_id("gw", "pipeline", "api").as_str());

    let ids = json!({ "change_ids": [id, "01UNKNOWN"] });
    let answer = post(&cloud, "/api/harmony/changes/acknowledge", &token, &ids).await.body;
    assert_eq!(answer, json!({ "acknowledged": [id], "failed": ["01UNKNOWN"] }));
    assert_eq!(
        get(&cloud, &list, &token).await.body["data"],
        json!([]),
        "an acknowledged change is not listed"
    );

    let applied = request(&cloud, "POST", &format!("/harmony/change/{id}/applied"), &token);
    assert_eq!(send(applied).await.body["success"], true);
    let change = cloud.wait_until_settled(&id).await;
    assert_eq!(change.status, Status::Applied);
    assert!(change.acknowledged_at.is_some() && change.applied_at.is_some() && change.failed_at.is_none());
}

#[tokio::test]
async fn verdicts_are_strict() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    let id = cloud.change("gw", "pipeline", "not even TOML [");
    let (failed, applied) = (format!("/harmony/change/{id}/failed"), format!("/harmony/change/{id}/applied"));
    let why = json!({ "error": "unreadable", "details": ["line 1"] });

    assert_eq!(post(&cloud, &failed, &token, &why).await.status, StatusCode::CONFLICT, "not acknowledged");
    post(&cloud, "/harmony/changes/acknowledge", &token, &json!({ "change_ids": [id] })).await;
    for _ in 0..2 {
        assert_eq!(
            post(&cloud, &failed, &token, &why).await.status,
            StatusCode::OK,
            "a repeated verdict is accepted"
        );
    }
    assert_eq!(cloud.violations().len(), 1);
    let change = cloud.view(&id);
    assert_eq!(change.error_message.as_deref(), Some("unreadable"));
    assert_eq!(change.error_details, Some(vec!["line 1".to_owned()]));
    // A failed change may be applied later; an applied change cannot fail.
    assert_eq!(send(request(&cloud, "POST", &applied, &token)).await.status, StatusCode::OK);
    assert_eq!(cloud.view(&id).error_message, None);
    assert_eq!(post(&cloud, &failed, &token, &why).await.status, StatusCode::CONFLICT);
    assert_eq!(cloud.violations().len(), 2);
}

#[tokio::test]
async fn lists_are_newest_first_with_linked_pages() {
    let cloud = ControlPlane::builder().per_page(2).start().await.unwrap();
    let token = cloud.authorize("radiology", "gw").machine_token;
    let mut issued: Vec<_> = (0..5).map(|_| cloud.change("gw", "pipeline", PIPELINE)).collect();
    issued.reverse();
    let mut next = Some(format!("{}/api/harmony/changes/{}", cloud.url(), cloud.gateway_id("gw")));
    let mut listed = Vec::new();
    while let Some(url) = next {
        let page = get(&cloud, url.strip_prefix(cloud.url()).unwrap(), &token).await.body;
        assert_eq!(page["meta"]["total"], 5);
        listed.extend(page["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()));
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(listed, issued);
}

#[tokio::test]
async fn an_unchanged_list_is_304() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    let list = || request(&cloud, "GET", "/harmony/changes", &token);
    let tag = list().send().await.unwrap().headers()["etag"].clone();
    let again = list().header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    cloud.change("gw", "pipeline", PIPELINE);
    let fresh = list().header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(fresh.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_pushed_document_returns_with_its_id() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    let mesh = json!({ "type": "mesh", "config": "[mesh.imaging] # ours\ntype = \"http\"\nprovider = \"runbeam\"\n" });
    let stored = post(&cloud, "/harmony/update", &token, &mesh).await.body;
    assert_eq!(stored["data"]["action"], "created", "{stored}");
    let id = stored["data"]["id"].as_str().unwrap();
    let change = cloud.changes("gw").pop().unwrap();
    assert!(change.toml_config.contains(&format!("id = \"{id}\"")), "{}", change.toml_config);
    assert!(change.toml_config.contains("# ours"));

    let again = json!({ "type": "mesh", "id": id, "config": change.toml_config });
    assert_eq!(post(&cloud, "/harmony/update", &token, &again).await.body["data"]["action"], "updated");
    let unknown = json!({ "type": "mesh", "id": "01UNKNOWN", "config": change.toml_config });
    assert_eq!(post(&cloud, "/harmony/update", &token, &unknown).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_gateway_sees_only_its_own_changes() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("radiology", "gw").machine_token;
    cloud.authorize("radiology", "other");
    let id = cloud.change("other", "pipeline", PIPELINE);
    let list = format!("/harmony/changes/{}", cloud.gateway_id("other"));
    assert_eq!(get(&cloud, &list, &token).await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&cloud, &format!("/harmony/change/{id}"), &token).await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&cloud, "/harmony/changes", &token).await.body["data"], json!([]));
    let answer =
        post(&cloud, "/harmony/changes/acknowledge", &token, &json!({ "change_ids": [id] })).await.body;
    assert_eq!(answer["failed"], json!([id]));
    let listed = get(&cloud, "/harmony/changes", &cloud.user_token("radiology")).await.body;
    assert_eq!(listed["data"][0]["id"], Value::from(id), "a user sees the changes of the team");
}
