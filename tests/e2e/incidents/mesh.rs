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

/// Sends a token some times, and checks that the cause of the refusal is named in these words.
async fn names_the_cause(token: impl Fn() -> Forged, times: usize, reason: &str, words: &[&str]) {
    let cloud = control_plane().await;
    let process = member(&cloud).await;
    let incident = Incident::of(&process).await;
    for _ in 0..times {
        assert_eq!(send(&process, &token()).await, 403);
    }
    let requests = if times == 1 { "1 request".to_owned() } else { format!("{times} requests") };
    let counted = format!("{reason}: {requests} of pipeline fhir");
    incident
        .has(Cause {
            row: ("refused", &[&[&*counted], words].concat()),
            line: &[&["a request was refused", reason], words].concat(),
            counters: &[("harmony_refusals_total", &[("reason", reason)])],
            gauge: None,
        })
        .await;
}

/// The clock of the sender is 10 minutes ahead.
#[tokio::test]
async fn clock_off() {
    let ahead = || Forged::of("clinic").shifted(600);
    names_the_cause(ahead, 3, "mesh_token_not_yet_valid", &["clocks", "compare the clock"]).await;
}

/// The clock of the sender is 10 minutes behind.
#[tokio::test]
async fn clock_behind() {
    let behind = || Forged::of("clinic").shifted(-600);
    names_the_cause(behind, 1, "mesh_token_expired", &["expired 5 min", "compare the clock"]).await;
}

/// The sender has another secret.
#[tokio::test]
async fn secrets_differ() {
    let other = || Forged::of("clinic").signed_with(b"another-secret-of-more-than-32-bytes-for-tests");
    names_the_cause(other, 1, "mesh_token_signature", &["compare the secret"]).await;
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
