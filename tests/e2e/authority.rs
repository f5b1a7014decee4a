//! The limits of what a control plane decides: which variables its documents use, and where it writes.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, forward};
use harmony_tests::{GatewayProcess, eventually};

/// Issues a change and returns its verdict with the reason.
async fn settle(cloud: &ControlPlane, kind: &str, toml: &str) -> (Status, String) {
    let change = cloud.change("edge", kind, toml);
    let view = cloud.wait_until_settled(&change).await;
    (view.status, format!("{:?} {:?}", view.error_message, view.error_details))
}

/// A change may use no variable either if its file has a name with `#`, of which the operator may have chosen any.
#[tokio::test]
async fn file_names_with_any_character() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    gateway.dir.write("pipelines/v#1.toml", &echo("v", "/v"));
    eventually("the local file is live", || async {
        if gateway.status_code("/v").await == 200 { Ok(()) } else { Err(gateway.gateway.log()) }
    })
    .await;
    let (status, reason) = settle(&cloud, "pipeline", &forward("v", "/v", "http://127.0.0.1:9/$HOME")).await;
    assert!(status == Status::Failed && reason.contains("remote_env_vars"), "{reason}");
    assert!(gateway.dir.read("pipelines/v#1.toml").contains("echo"), "the file stays");
}
