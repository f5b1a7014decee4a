//! Incidents of meshes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{echo, ingress, mesh};
use harmony_tests::{Forged, GatewayProcess, Mount, Workdir, client, free_port};

use crate::incidents::{Cause, Incident, control_plane};

/// Starts a gateway with the mesh `clinic`.
async fn member(cloud: &ControlPlane) -> GatewayProcess {
    let sections = echo("fhir", "/fhir") + &ingress("fhir", "in", "http://a.example/fhir", "mesh");
    let dir = Workdir::with([("mesh/clinic.toml", mesh("clinic", "in"))]);
    fs::set_permissions(dir.path().join("mesh/clinic.toml"), Permissions::from_mode(0o600)).unwrap();
    let process = GatewayProcess::mounted(cloud, free_port(), &sections, dir, Mount::Writable).await.unwrap();
    assert_eq!(send(&process, &Forged::of("clinic")).await, 200);
    process
}

async fn send(process: &GatewayProcess, token: &Forged) -> u16 {
    let request = client().get(process.url("/fhir")).bearer_auth(token.jwt());
    request.send().await.unwrap().status().as_u16()
}

/// The clock of the sender is 10 minutes ahead.
#[tokio::test]
async fn clock_off() {
    let cloud = control_plane().await;
    let process = member(&cloud).await;
    let incident = Incident::of(&process).await;
    for _ in 0..3 {
        assert_eq!(send(&process, &Forged::of("clinic").shifted(600)).await, 403);
    }
    incident
        .has(Cause {
            row: (
                "refused",
                &["mesh_token_not_yet_valid: 3 requests of pipeline fhir", "clocks", "compare the clock"],
            ),
            line: &["a request was refused", "mesh_token_not_yet_valid", "clocks", "compare the clock"],
            counters: &[("harmony_refusals_total", &[("reason", "mesh_token_not_yet_valid")])],
            gauge: None,
        })
        .await;
}

/// The clock of the sender is 10 minutes behind.
#[tokio::test]
async fn clock_behind() {
    let cloud = control_plane().await;
    let process = member(&cloud).await;
    let incident = Incident::of(&process).await;
    assert_eq!(send(&process, &Forged::of("clinic").shifted(-600)).await, 403);
    incident
        .has(Cause {
            row: (
                "refused",
                &["mesh_token_expired: 1 request of pipeline fhir", "expired 5 min ago", "compare the clock"],
            ),
            line: &["a request was refused", "mesh_token_expired", "expired 5 min ago", "compare the clock"],
            counters: &[("harmony_refusals_total", &[("reason", "mesh_token_expired")])],
            gauge: None,
        })
        .await;
}

/// The sender has another secret.
#[tokio::test]
async fn secrets_differ() {
    let cloud = control_plane().await;
    let process = member(&cloud).await;
    let incident = Incident::of(&process).await;
    let other = Forged::of("clinic").signed_with(b"another-secret-of-more-than-32-bytes-for-tests");
    assert_eq!(send(&process, &other).await, 403);
    incident
        .has(Cause {
            row: ("refused", &["mesh_token_signature: 1 request of pipeline fhir", "compare the secret"]),
            line: &["a request was refused", "mesh_token_signature", "compare the secret"],
            counters: &[("harmony_refusals_total", &[("reason", "mesh_token_signature")])],
            gauge: None,
        })
        .await;
}

/// Requests without a token are no incident: any stranger sends them.
#[tokio::test]
async fn stranger() {
    let cloud = control_plane().await;
    let process = member(&cloud).await;
    let incident = Incident::of(&process).await;
    assert_eq!(process.status_code("/fhir").await, 403);
    incident.causes_only(&[("harmony_refusals_total", &[("reason", "mesh_token_missing")])]).await;
}
