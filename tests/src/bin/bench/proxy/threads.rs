//! The CPU time of a request with one thread and with two.
//!
//! The throughput with two threads would say nothing where the load and the upstream share the second CPU with the proxy.

use harmony_tests::{Identity, free_port};
use serde::Serialize;

use super::Times;
use super::closed_loop::sample;
use super::proxies::Nginx;
use super::rounds::Rounds;
use super::servers::Kind;
use super::target::Target;
use super::upstream::Upstream;
use crate::Outcome;
use crate::configuration::{self, MeshRole};
use crate::connection::GetRequest;
use crate::cpus::{Cpus, Place};
use crate::process::Process;
use crate::upstream::Body;

/// The number of connections.
const CONNECTIONS: usize = 64;

/// A proxy with one thread on one CPU, and with two threads on two.
#[derive(Debug, Serialize)]
pub(crate) struct Threads {
    pub(crate) name: &'static str,
    pub(crate) cpu_micros_per_request: [f64; 2],
    /// The requests that two CPUs of its own could serve, compared with one: 2 / (CPU time with two / with one).
    pub(crate) capacity_factor: f64,
}

/// Measures harmony-host and nginx. Returns nothing where processes cannot have two CPUs.
///
/// # Errors
/// Fails if a proxy does not respond.
pub(super) async fn measure(
    cpus: &Cpus,
    upstream: &Upstream,
    identity: &Identity,
    rounds: u32,
    times: Times,
    failures: &mut Vec<String>,
) -> Outcome<Vec<Threads>> {
    if !cpus.has_two() {
        return Ok(Vec::new());
    }
    let places = [Place::Proxy(cpus), Place::TwoCpus(cpus)];
    let mut proxies = Vec::new();
    for (workers, place) in (1..).zip(places) {
        if Kind::Nginx.is_installed() {
            proxies.push(("nginx", Nginx::start(place, workers, upstream, identity).await?.process));
        }
    }
    for place in places {
        proxies.push(("harmony-host, plain", harmony(place, upstream).await?));
    }
    let targets: Vec<Target<'_>> = proxies.iter().map(|(name, process)| Target::new(name, process)).collect();
    let each = async |target: &Target<'_>| sample(target, CONNECTIONS, 1, Body::Small, times).await;
    let rounds = Rounds::measure(rounds, "threads", &targets, failures, each).await;
    if rounds.is_empty() {
        return Ok(Vec::new());
    }
    let row = |one: usize| Threads {
        name: targets[one].name,
        cpu_micros_per_request: [one, one + 1]
            .map(|n| rounds.median(n, |sample| sample.cpu_micros_per_request)),
        capacity_factor: 2.0 / rounds.ratio(one + 1, one, |sample| sample.cpu_micros_per_request),
    };
    Ok((0..targets.len()).step_by(2).map(row).collect())
}

/// Starts a harmony-host without a mesh, with as many threads as it has CPUs.
async fn harmony(place: Place<'_>, upstream: &Upstream) -> Outcome<Process> {
    let port = free_port();
    let files = configuration::single(port, upstream.process.address, &MeshRole::None);
    let mut process = Process::harmony_at(place, files, port);
    process.wait_until_serving(&GetRequest::new(process.address, "/")).await?;
    Ok(process)
}
