//! Changes for another gateway in the list of this one.

use harmony_tests::InProcessGateway;
use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use serde_json::json;

use super::status;

/// The change of another gateway is neither acknowledged nor applied nor reported; the status says why, and the changes
/// of this gateway go on.
#[tokio::test]
async fn change_for_another_gateway_is_not_taken() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let foreign = cloud.put_document("edge", "pipeline", &echo("theirs", "/theirs"));
    let own = cloud.put_document("edge", "pipeline", &echo("ours", "/ours"));
    let head = |id: &str, gateway: &str| json!({ "id": id, "type": "pipeline", "gateway_id": gateway });
    let list = json!({ "data": [head(&own, &cloud.gateway_id("edge")), head(&foreign, "01OTHERGATEWAY")] });
    let rule = cloud.inject(When::call("GET", "/harmony/changes*"), Fault::Status(200, list));
    let report = gateway.host.sync().await.unwrap();
    assert!(report.problem.is_some_and(|problem| problem.contains("01OTHERGATEWAY")));
    assert_eq!(cloud.wait_until_settled(&own).await.status, Status::Applied);
    assert_eq!((status(gateway.url("/ours")).await, status(gateway.url("/theirs")).await), (200, 404));
    assert_eq!(cloud.view(&foreign).status, Status::Pending);
    assert_eq!(cloud.count("GET", &format!("/harmony/change/{foreign}")), 0);
    let shown = gateway.host.status();
    let reason = shown.reason().unwrap_or_default();
    assert!(!shown.in_sync() && reason.contains("01OTHERGATEWAY") && reason.contains(&foreign), "{reason}");
    cloud.remove_fault(rule);
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&foreign).await.status, Status::Applied);
    assert_eq!(gateway.host.status().reason(), None);
}
