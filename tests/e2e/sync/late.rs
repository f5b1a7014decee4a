//! Changes that arrive after a newer one of the same file.

use harmony_tests::InProcessGateway;
use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;

use super::status;

/// A change whose fetch failed at first does not replace a newer change of the same file.
#[tokio::test]
async fn a_late_change_does_not_replace_a_newer_one() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let older = cloud.change("edge", "pipeline", &echo("fhir", "/old"));
    let newer = cloud.change("edge", "pipeline", &echo("fhir", "/new"));
    cloud.inject(When::call("GET", &format!("/harmony/change/{older}")).times(1), Fault::status(503));
    let report = gateway.host.sync().await.unwrap();
    assert!(report.error.is_some() && report.applied.len() == 1, "{report:?}");
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&newer).await.status, Status::Applied);
    let view = cloud.wait_until_settled(&older).await;
    assert_eq!(view.status, Status::Failed);
    let reason = view.error_message.unwrap_or_default();
    assert!(reason.starts_with("superseded: ") && reason.contains(&newer), "{reason}");
    assert!(reason.contains("pipelines/fhir.toml"), "{reason}");
    assert_eq!((status(gateway.url("/new")).await, status(gateway.url("/old")).await), (200, 404));
    let other = cloud.change("edge", "pipeline", &echo("fhir", "/newest"));
    gateway.host.sync().await.unwrap();
    assert_eq!(cloud.wait_until_settled(&other).await.status, Status::Applied);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}
