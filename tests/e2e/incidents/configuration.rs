//! Incidents of the configuration.

use harmony_tests::GatewayProcess;
use harmony_tests::control_plane::Status;
use harmony_tests::site::echo;

use crate::incidents::{Cause, Incident, control_plane};

/// An edit adds a network whose port another process has.
#[tokio::test]
async fn port_taken() {
    let cloud = control_plane().await;
    let process = GatewayProcess::following(&cloud).await;
    let incident = Incident::of(&process).await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let network = format!("[network.second.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n");
    process.dir.replace("config.toml", &(process.dir.read("config.toml") + &network));
    process.gateway.signal("HUP").await;
    let address = format!("127.0.0.1:{port}");
    incident
        .has(Cause {
            row: ("because", &["the files were rejected (bind)", &address]),
            line: &["the configuration was rejected", "class=bind", &address],
            counters: &[
                ("harmony_configurations_rejected_total", &[("class", "bind")]),
                ("harmony_reloads_total", &[("verdict", "rejected")]),
            ],
            gauge: None,
        })
        .await;
}

/// The control plane sends a change that no gateway can apply.
#[tokio::test]
async fn poison_change() {
    let cloud = control_plane().await;
    let process = GatewayProcess::following(&cloud).await;
    let incident = Incident::of(&process).await;
    let poison = echo("fhir", "/fhir").replace("networks = [\"public\"]", "networks = [\"nowhere\"]");
    let change = cloud.put_document("edge", "pipeline", &poison);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Failed);
    incident
        .has(Cause {
            row: ("because", &[&change, "rejected", "nowhere"]),
            line: &["the change was rejected", &change, "nowhere"],
            counters: &[("harmony_sync_changes_total", &[("outcome", "rejected")])],
            gauge: None,
        })
        .await;
}
