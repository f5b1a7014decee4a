//! Incidents of the control plane and of the credential for it.

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::on_ports;
use harmony_tests::{Gateway, GatewayProcess, RUNBEAM_CONFIG, Workdir, binary, free_port};

use crate::incidents::{Cause, Incident, control_plane};

#[tokio::test]
async fn control_plane_away() {
    let cloud = control_plane().await;
    let process = GatewayProcess::following(&cloud).await;
    let incident = Incident::of(&process).await;
    cloud.stop().await;
    incident
        .has(Cause {
            row: ("because", &[cloud.url(), "Connection refused"]),
            line: &["the sync with `runbeam` failed", "Connection refused"],
            counters: &[("harmony_sync_passes_total", &[("outcome", "failed")])],
            gauge: None,
        })
        .await;
}

/// The control plane does not know the token any more.
#[tokio::test]
async fn wrong_token() {
    let cloud = control_plane().await;
    let process = GatewayProcess::following(&cloud).await;
    let incident = Incident::of(&process).await;
    cloud.revoke("edge");
    incident
        .has(Cause {
            row: ("because", &[cloud.url(), "refused the credential: authorize this gateway again"]),
            line: &["the sync with `runbeam` failed", "401"],
            counters: &[("harmony_sync_passes_total", &[("outcome", "failed")])],
            gauge: Some((("harmony_authorization_valid", &[]), |valid| valid == 0.0)),
        })
        .await;
}

/// The token has ended.
#[tokio::test]
async fn expired_token() {
    drop(control_plane().await);
    let cloud = ControlPlane::builder().machine_tokens_last(0).start().await.unwrap();
    let process = GatewayProcess::following(&cloud).await;
    Incident::from_start(&process.gateway, process.admin, process.dir.config(), process.home.path())
        .has(Cause {
            row: ("because", &[cloud.url(), "expired at", "authorize this gateway again"]),
            line: &["expired"],
            counters: &[("harmony_sync_passes_total", &[("outcome", "failed")])],
            gauge: Some((("harmony_authorization_valid", &[]), |valid| valid == 0.0)),
        })
        .await;
}

/// A new machine has the files and no token.
#[tokio::test]
async fn fresh_machine() {
    let cloud = control_plane().await;
    let (dir, home, admin) = (Workdir::new(), Workdir::new(), free_port());
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
    dir.write("config.toml", &on_ports(&config, free_port(), admin));
    let environment = [("HOME", home.path().to_str().unwrap())];
    let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &[], &environment);
    gateway.wait_until_ready().await;
    Incident::from_start(&gateway, admin, dir.config(), home.path())
        .has(Cause {
            row: ("because", &[cloud.url(), "is not authorized"]),
            line: &["the sync with `runbeam` failed", "this gateway has no machine token; authorize it"],
            counters: &[("harmony_sync_passes_total", &[("outcome", "failed")])],
            gauge: Some((("harmony_authorization_valid", &[]), |valid| valid == 0.0)),
        })
        .await;
}
