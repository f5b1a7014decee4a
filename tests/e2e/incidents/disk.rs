//! Incidents of the disk.

use harmony_tests::GatewayProcess;
use harmony_tests::site::echo;

use crate::incidents::{Cause, Incident, control_plane};

/// The disk is full when a change comes.
#[tokio::test]
async fn disk_full() {
    let cloud = control_plane().await;
    let process = GatewayProcess::following(&cloud).await;
    let incident = Incident::of(&process).await;
    process.fail_disk("28");
    cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    incident
        .has(Cause {
            row: ("because", &["the journal cannot be written", "No space left on device"]),
            line: &["No space left on device"],
            counters: &[("harmony_sync_passes_total", &[("outcome", "failed")])],
            gauge: None,
        })
        .await;
}
