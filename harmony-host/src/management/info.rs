//! `GET info`: the version and the uptime.

use std::time::Duration;

use serde_json::{Value, json};

use crate::snapshot::Snapshot;
use crate::status::Status;
use crate::storage::syncs;

/// Returns the version, the platform, the gateway id, the uptime in seconds, the end of the credential, and how often a file
/// or a directory was synced.
pub(super) fn info(snapshot: &Snapshot, status: &Status, uptime: Duration) -> Value {
    let sync = status.sync.as_ref();
    json!({
        "authorization": sync.map(|sync| sync.authorization),
        "authorized_until": sync.and_then(|sync| sync.authorized_until),
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": uptime.as_secs(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "id": snapshot.config.proxy.id,
        "disk_syncs": syncs::total(),
    })
}
