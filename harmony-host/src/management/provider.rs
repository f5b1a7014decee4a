//! `GET provider` and `GET config/status`: the provider and the served configuration.

use serde_json::{Value, json};

use crate::management::troubles::troubles;
use crate::providers::isolate::cadence_of;
use crate::snapshot::Snapshot;
use crate::snapshot::certificates::CertificateEnd;
use crate::status::{Status, cadence_in_words, timestamp};

/// Returns the primary provider, its abilities, and the status of the gateway.
pub(super) fn provider(snapshot: &Snapshot, status: &Status) -> Value {
    let primary = &snapshot.config.primary;
    let built = snapshot.providers.primary();
    let abilities: Vec<&str> = built.map_or_else(Vec::new, |provider| {
        [
            ("sync", provider.source().is_some()),
            ("resolve", provider.resolver().is_some()),
            ("mesh_auth", provider.mesh_auth().is_some()),
            ("enroll", provider.enrollment().is_some()),
            ("publish", provider.publisher().is_some()),
            ("retention", provider.retention().is_some()),
        ]
        .into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect()
    });
    // Of the provider, not of the section: a source that waits for changes has an interval that nothing uses.
    let cadence = built.and_then(|provider| cadence_of(&**provider));
    let polling = cadence.map_or_else(|| "disabled".to_owned(), |cadence| cadence_in_words(Some(cadence)));
    json!({
        "now": timestamp(snapshot.providers.now()),
        "gateway": snapshot.config.proxy.id,
        "config_file_path": snapshot.documents.config_path().display().to_string(),
        "provider": { "name": primary.name.as_str(), "type": primary.provider_type(), "address": primary.address, "abilities": abilities, "polling": polling },
        "active": snapshot.config.active().map(String::from).collect::<Vec<_>>(),
        "in_sync": status.in_sync(),
        "unknown": status.is_unknown(),
        "reason": status.reason(),
        "note": status.note(),
        "desired": status.desired,
        "attempted": status.attempted,
        "effective": status.effective,
        "overlay": status.overlay,
        "sync": status.sync,
        "paused": status.paused,
        "last_good": status.last_good,
        "history": status.history,
        "rolled_back": status.rolled_back,
        "audit": status.audit,
        "certificates": certificates(snapshot),
        "troubles": troubles(snapshot),
    })
}

/// Returns the certificates in the files of the configuration, and how near their ends are now.
fn certificates(snapshot: &Snapshot) -> Vec<Value> {
    let now = snapshot.providers.now();
    let certificate = |certificate: &CertificateEnd| {
        json!({
            "key": certificate.key,
            "file": certificate.file.value,
            "ends_at": timestamp(certificate.ends_at),
            "state": certificate.state(now).as_str(),
        })
    };
    snapshot.certificates.iter().map(certificate).collect()
}

/// Returns the served files with their checksums, and the networks.
pub(super) fn config_status(snapshot: &Snapshot, status: &Status) -> Value {
    let networks: serde_json::Map<String, Value> = snapshot
        .config
        .networks
        .iter()
        .map(|network| {
            let listen = network.listen.as_ref().map(|listen| {
                json!({
                    "bind_address": listen.address.value.ip().to_string(),
                    "bind_port": listen.address.value.port(),
                    "tls": listen.tls.is_some(),
                })
            });
            (network.name.clone(), listen.unwrap_or(Value::Null))
        })
        .collect();
    let running: Vec<&str> = snapshot.listeners.values().map(|spec| &*spec.network).collect();
    let files: Vec<Value> = snapshot
        .documents
        .files()
        .map(|(name, digest)| json!({ "name": name, "sha256": format!("{digest:#}") }))
        .collect();
    json!({
        "config_file_path": snapshot.documents.config_path().display().to_string(),
        "proxy_id": snapshot.config.proxy.id,
        "current_networks": networks,
        "running_networks": running,
        "in_sync": status.in_sync(),
        "unknown": status.is_unknown(),
        "reason": status.reason(),
        "note": status.note(),
        "generation": snapshot.generation,
        "files": files,
    })
}
