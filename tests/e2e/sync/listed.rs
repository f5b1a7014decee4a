//! Changes that stay pending at the control plane are named: the gateway is not in sync.

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, eventually, get};
use serde_json::{Value, json};

use super::status;

/// The status: in sync or not, the reason, and the changes that were not taken.
async fn shown(gateway: &InProcessGateway) -> (bool, String, Vec<String>) {
    let response = get(gateway.admin_url("/admin/provider")).await.unwrap();
    let body: Value = response.json().await.unwrap();
    let status = gateway.host.status();
    let not_taken = status.sync.as_ref().map(|sync| sync.not_taken.clone()).unwrap_or_default();
    let ids: Vec<String> = not_taken.into_iter().map(|change| change.id).collect();
    assert!(ids.iter().all(|id| body.to_string().contains(id)), "the API shows them: {body}");
    (status.in_sync(), status.reason().unwrap_or_default(), ids)
}

/// The control plane refuses the acknowledgement: the change is not applied, stays pending, and is named until it is
/// taken.
#[tokio::test]
async fn refused_acknowledgement_is_named() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    gateway.host.sync().await.unwrap();
    assert!(shown(&gateway).await.0);
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    let refused = Fault::Status(200, json!({ "acknowledged": [], "failed": [change] }));
    let rule = cloud.inject(When::call("POST", "/harmony/changes/acknowledge"), refused);
    for _ in 0..2 {
        let report = gateway.host.sync().await.unwrap();
        assert_eq!((report.applied.len(), report.not_taken.len()), (0, 1), "{report:?}");
        let (in_sync, reason, ids) = shown(&gateway).await;
        assert!(!in_sync && reason.contains(&change) && reason.contains("acknowledgement"), "{reason}");
        assert_eq!(ids, std::slice::from_ref(&change));
        assert_eq!(status(gateway.url("/fhir/x")).await, 404);
    }
    cloud.remove_fault(rule);
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(shown(&gateway).await, (true, String::new(), Vec::new()));
}

/// A change that was withdrawn before its acknowledgement is not listed any more, and no longer named.
#[tokio::test]
async fn withdrawn_change_is_forgotten() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    let refused = Fault::Status(200, json!({ "acknowledged": [], "failed": [change] }));
    let rule = cloud.inject(When::call("POST", "/harmony/changes/acknowledge"), refused);
    gateway.host.sync().await.unwrap();
    assert!(!shown(&gateway).await.0);
    cloud.remove_fault(rule);
    let empty = Fault::Status(200, json!({ "data": [] }));
    cloud.inject(When::call("GET", "/harmony/changes*"), empty);
    gateway.host.sync().await.unwrap();
    assert_eq!(shown(&gateway).await, (true, String::new(), Vec::new()));
}

/// A change that the control plane lists although it has the verdict: the verdict is sent once more at once, then the
/// change is named until it is gone from the list.
#[tokio::test]
async fn change_that_is_listed_again_and_again_is_named() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    let head = json!({ "id": change, "type": "pipeline", "created_at": "2026-01-01T00:00:00Z" });
    let list = Fault::Status(200, json!({ "data": [head] }));
    let rule = cloud.inject(When::call("GET", "/harmony/changes*"), list);
    let reported = || cloud.count("POST", &format!("/harmony/change/{change}/applied"));
    harmony_tests::eventually("the repeated verdict", || async {
        gateway.host.sync().await.ok_or("no sync")?;
        (reported() == 2).then_some(()).ok_or("not repeated")
    })
    .await;
    harmony_tests::eventually("the named change", || async {
        gateway.host.sync().await.ok_or("no sync")?;
        let (in_sync, reason, ids) = shown(&gateway).await;
        let named = !in_sync && reason.contains("lists it again") && ids == std::slice::from_ref(&change);
        named.then_some(()).ok_or("not named")
    })
    .await;
    assert_eq!(status(gateway.url("/fhir/x")).await, 200);
    cloud.remove_fault(rule);
    gateway.host.sync().await.unwrap();
    assert_eq!(shown(&gateway).await, (true, String::new(), Vec::new()));
}

/// An entry of the list that is no change is named, and the others are applied; the gateway is in sync when it is gone.
#[tokio::test]
async fn entry_that_is_no_change_is_named() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    gateway.host.sync().await.unwrap();
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (n, bad) in [
        "null",
        "{}",
        r#"{ "id": 7 }"#,
        r#"{ "id": "01X", "type": null }"#,
        r#"{ "id": " ", "type": "pipeline" }"#,
        // JSON whose values cannot be read: half of a surrogate pair, a number out of range, and a deep nesting.
        r#"{ "id": "\ud83d", "type": "pipeline" }"#,
        r#"{ "id": "01X", "type": "pipeline", "name": "\udead" }"#,
        r#"{ "id": 1e999, "type": "pipeline" }"#,
        &format!(r#"{{ "id": "01X", "type": "pipeline", "tags": {deep} }}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let change = cloud.put_document("edge", "pipeline", &echo("fhir", &format!("/v{n}")));
        let body = format!(
            r#"{{ "data": [{bad}, {{ "id": "{change}", "type": "pipeline" }}, {bad}], "other": {deep} }}"#
        );
        let list = Fault::Response { status: 200, content_type: "application/json", body };
        let rule = cloud.inject(When::call("GET", "/harmony/changes*"), list);
        let report = gateway.host.sync().await.unwrap();
        assert_eq!(report.applied.len(), 1, "{bad}: {report:?}");
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
        assert_eq!(status(gateway.url(&format!("/v{n}/x"))).await, 200);
        let (in_sync, reason, _) = shown(&gateway).await;
        assert!(!in_sync && reason.contains("2 entries that are no changes"), "{bad}: {reason}");
        cloud.remove_fault(rule);
        gateway.host.sync().await.unwrap();
        assert_eq!(shown(&gateway).await, (true, String::new(), Vec::new()), "{bad}");
    }
}

/// A change whose document cannot be fetched now is named with the reason, when it is fetched again, and the remedy.
#[tokio::test]
async fn change_that_cannot_be_fetched_is_named() {
    for fault in [
        Fault::html(200),
        Fault::html(503),
        Fault::status(501),
        Fault::Redirect("http://127.0.0.1:9/login".to_owned()),
    ] {
        let cloud = ControlPlane::start().await;
        let gateway = InProcessGateway::following(&cloud).await;
        let rule = cloud.inject(When::call("GET", "/harmony/change/*"), fault.clone());
        let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
        let reason = eventually("a pass without a failure follows the failed fetch", || async {
            let status = gateway.host.status();
            let sync = status.sync.as_ref().unwrap();
            match (sync.unsettled, &sync.failure) {
                (1, None) => Ok(status.reason().unwrap()),
                _ => Err(format!("{sync:?}")),
            }
        })
        .await;
        assert!(reason.contains(&change) && reason.contains("pipeline"), "{fault:?}: {reason}");
        assert!(
            reason.contains("could not be fetched: ") && reason.contains(cloud.url()),
            "{fault:?}: {reason}"
        );
        assert!(
            reason.contains("again at 20") && reason.contains("`harmony-host sync`"),
            "{fault:?}: {reason}"
        );
        cloud.remove_fault(rule);
        gateway.host.sync().await.unwrap();
        assert!(gateway.host.status().in_sync(), "{:?}", gateway.host.status().reason());
    }
}
