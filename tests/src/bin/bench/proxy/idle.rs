//! The memory of an idle connection.

use std::time::Duration;

use harmony_tests::{Identity, free_port};
use serde::Serialize;

use super::client::Client;
use super::proxies::{Nginx, Secure};
use super::servers::Kind;
use super::target::Target;
use super::upstream::Upstream;
use crate::Outcome;
use crate::configuration::{self, MeshRole};
use crate::connection::GetRequest;
use crate::cpus::{Cpus, Place};
use crate::process::Process;
use crate::process_tree::ProcessTree;
use crate::upstream::Body;

/// The number of idle connections.
pub(crate) const CONNECTIONS: usize = 1000;

/// The number of requests before the measurement, so that memory that is used once is not counted.
const WARM_UP: usize = 200;

/// The time between two new connections. Idle ones come over a long time, not all at once.
pub(crate) const INTERVAL: Duration = Duration::from_millis(5);

/// The time without requests before memory is read.
const PAUSE: Duration = Duration::from_secs(2);

/// The memory of a proxy with idle connections.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) name: &'static str,
    pub(crate) front: &'static str,
    /// The resident memory before and with the connections, in MiB.
    pub(crate) resident_mib: [f64; 2],
    pub(crate) kib_per_connection: f64,
}

/// Measures nginx and harmony-host, each in a new process, in clear text and with TLS on both sides.
///
/// # Errors
/// Fails if a response is wrong.
pub(super) async fn measure(cpus: &Cpus, upstream: &Upstream, identity: &Identity) -> Outcome<Vec<Idle>> {
    const FRONTS: [&str; 2] = ["HTTP/1.1", "HTTP/1.1 over TLS"];
    let mut rows = Vec::new();
    for front in FRONTS {
        if Kind::Nginx.is_installed() {
            let nginx = Nginx::start(Place::Proxy(cpus), 1, upstream, identity).await?;
            let target = nginx.target();
            match nginx.tls.clone().filter(|_| front == FRONTS[1]) {
                Some(tls) => rows.push(one(front, target.with_front(tls)).await?),
                None => rows.push(one(front, target).await?),
            }
        }
        let name = "harmony-host";
        match upstream.tls.filter(|_| front == FRONTS[1]) {
            Some(tls) => {
                let secure = Secure::start(Place::Proxy(cpus), tls, identity).await?;
                let target = Target::new(name, &secure.process).with_front(secure.front.clone());
                rows.push(one(front, target).await?);
            }
            None if front == FRONTS[0] => {
                let port = free_port();
                let files = configuration::single(port, upstream.process.address, &MeshRole::None);
                let mut process = Process::harmony(cpus, files, port);
                process.wait_until_serving(&GetRequest::new(process.address, "/")).await?;
                rows.push(one(front, Target::new(name, &process)).await?);
            }
            None => {}
        }
    }
    Ok(rows)
}

/// Opens the connections to one proxy.
async fn one(front: &'static str, target: Target<'_>) -> Outcome<Idle> {
    let failed = |error| format!("idle connections, {}: {error}", target.name);
    for mut client in Client::open(&target, 1, Body::Small).await.map_err(failed)? {
        for _ in 0..WARM_UP {
            client.exchange().await.map_err(failed)?;
        }
    }
    tokio::time::sleep(PAUSE).await;
    let tree = ProcessTree::of(target.process.id());
    let before = tree.resident_kib();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        for mut client in Client::open(&target, 1, Body::Small).await.map_err(failed)? {
            client.exchange().await.map_err(failed)?;
            clients.push(client);
        }
        tokio::time::sleep(INTERVAL).await;
    }
    tokio::time::sleep(PAUSE).await;
    let after = tree.resident_kib();
    // A connection that was closed meanwhile had no memory.
    for client in &mut clients {
        client.exchange().await.map_err(failed)?;
    }
    Ok(Idle {
        name: target.name,
        front,
        resident_mib: [before, after].map(|kib| kib / 1024.0),
        kib_per_connection: (after - before) / CONNECTIONS as f64,
    })
}
