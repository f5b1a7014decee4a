//! `GET info`: the version and the uptime.

use std::time::Duration;

use serde_json::{Value, json};

use crate::snapshot::Snapshot;

/// Returns the version, the platform, the gateway id and the uptime in seconds.
pub(super) fn info(snapshot: &Snapshot, uptime: Duration) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": uptime.as_secs(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "id": snapshot.config.proxy.id,
    })
}
