//! The primary provider is changed while the gateway serves.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{Edge, eventually};

use super::status;

#[tokio::test]
async fn a_change_to_local_is_applied_and_reported_and_then_nothing_is_asked_until_the_way_back_by_hand() {
    let cloud = ControlPlane::start().await;
    let edge = Edge::following(&cloud).await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.settled(&first).await.status, Status::Applied);
    let away = cloud.change("edge", "gateway", "[proxy]\nprimary_provider = \"local\"\n");
    assert_eq!(cloud.settled(&away).await.status, Status::Applied);
    assert_eq!(edge.host.snapshot().providers().primary_name().as_str(), "local");
    eventually("nobody to be followed", || async {
        if edge.host.status().sync.is_none() { Ok(()) } else { Err("followed") }
    })
    .await;
    let report = edge.host.sync().await.unwrap();
    assert!(report.error.is_some(), "{report:?}");
    let asked = cloud.count("GET", "/harmony/changes/");
    let waiting = cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    assert_eq!(
        edge.host.reload().await.map(|verdict| format!("{verdict:?}").contains("Unchanged")),
        Some(true)
    );
    assert_eq!(cloud.count("GET", "/harmony/changes/"), asked);
    assert_eq!(status(edge.url("/first")).await, 200);
    edge.dir.edit("config.toml", "primary_provider = \"local\"", "primary_provider = \"runbeam\"");
    assert_eq!(cloud.settled(&waiting).await.status, Status::Applied);
    assert_eq!(status(edge.url("/later")).await, 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn what_arrived_is_served_after_a_restart_and_is_not_applied_twice() {
    let cloud = ControlPlane::start().await;
    let edge = Edge::following(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.settled(&change).await.status, Status::Applied);
    cloud.stop().await;
    let edge = edge.restarted().await;
    assert_eq!(status(edge.url("/first")).await, 200);
    cloud.start_again().await;
    let next = cloud.put_document("edge", "pipeline", &echo("next", "/next"));
    assert_eq!(cloud.settled(&next).await.status, Status::Applied);
    assert_eq!(cloud.count("POST", &format!("/harmony/change/{change}/applied")), 1);
}
