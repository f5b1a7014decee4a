//! Switching the primary provider while the gateway serves.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, eventually};

use super::status;

/// A change to `local` is applied and reported; then the gateway does not poll until a local edit switches back.
#[tokio::test]
async fn a_switch_to_local_ends_polling() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    let away = cloud.change("edge", "gateway", "[proxy]\nprimary_provider = \"local\"\n");
    assert_eq!(cloud.wait_until_settled(&away).await.status, Status::Applied);
    assert_eq!(gateway.host.snapshot().providers().primary_name().as_str(), "local");
    eventually("the sync ends", || async {
        if gateway.host.status().sync.is_none() { Ok(()) } else { Err("the gateway still syncs") }
    })
    .await;
    let report = gateway.host.sync().await.unwrap();
    assert!(report.error.is_some(), "{report:?}");
    let polls = cloud.count("GET", "/harmony/changes/");
    let waiting = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    assert_eq!(
        gateway.host.reload().await.map(|verdict| format!("{verdict:?}").contains("Unchanged")),
        Some(true)
    );
    assert_eq!(cloud.count("GET", "/harmony/changes/"), polls);
    assert_eq!(status(gateway.url("/first")).await, 200);
    gateway.dir.edit("config.toml", "primary_provider = \"local\"", "primary_provider = \"runbeam\"");
    assert_eq!(cloud.wait_until_settled(&waiting).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/later")).await, 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// Applied changes are served after a restart, and are not applied twice.
#[tokio::test]
async fn applied_changes_survive_a_restart() {
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
