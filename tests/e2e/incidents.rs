//! Incidents on real processes. For each one, a row of `harmony-host status`, a line of the log and a metric name the cause,
//! and there is no other warning, error, failure or refusal.

mod backend;
mod configuration;
mod control_plane;
mod disk;
mod incident;
mod mesh;

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::{binary, faulty_binary};
use incident::{Cause, Incident};

/// Starts a control plane in the process of the test. The programs are built before: it could not answer meanwhile.
async fn control_plane() -> ControlPlane {
    tokio::task::spawn_blocking(|| (binary(), faulty_binary())).await.unwrap();
    ControlPlane::start().await
}
