//! The primary provider is changed while the gateway serves.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, eventually};

use super::status;

#[tokio::test]
async fn a_change_to_local_is_applied_and_reported_and_then_nothing_is_asked_until_the_way_back_by_hand() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    let away = cloud.change("edge", "gateway", "[proxy]\nprimary_provider = \"local\"\n");
    assert_eq!(cloud.wait_until_settled(&away).await.status, Status::Applied);
    assert_eq!(gateway.host.snapshot().providers().primary_name().as_str(), "local");
    eventually("nobody to be followed", || async {
        if gateway.host.status().sync.is_none() { Ok(()) } else { Err("followed") }
    })
    .await;
    let report = gateway.host.sync().await.unwrap();
    assert!(report.error.is_some(), "{report:?}");
    let asked = cloud.count("GET", "/harmony/changes/");
    let waiting = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    assert_eq!(
        gateway.host.reload().await.map(|verdict| format!("{verdict:?}").contains("Unchanged")),
        Some(true)
    );
    assert_eq!(cloud.count("GET", "/harmony/changes/"), asked);
    assert_eq!(status(gateway.url("/first")).await, 200);
    gateway.dir.edit("config.toml", "primary_provider = \"local\"", "primary_provider = \"runbeam\"");
    assert_eq!(cloud.wait_until_settled(&waiting).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/later")).await, 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn what_arrived_is_served_after_a_restart_and_is_not_applied_twice() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    cloud.stop().await;
    let gateway = gateway.restarted().await;
    assert_eq!(status(gateway.url("/first")).await, 200);
    cloud.restart().await;
    let next = cloud.put_document("edge", "pipeline", &echo("next", "/next"));
    assert_eq!(cloud.wait_until_settled(&next).await.status, Status::Applied);
    assert_eq!(cloud.count("POST", &format!("/harmony/change/{change}/applied")), 1);
}
