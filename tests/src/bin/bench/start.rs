//! The time from the start of a process to its first response.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::free_port;
use serde::Serialize;
use tokio::time::Instant;

use crate::Outcome;
use crate::configuration::{self, pipeline_name};
use crate::connection::GetRequest;
use crate::cpus::Cpus;
use crate::process::Process;
use crate::statistics::{median, worst};

/// The number of pipelines of the gateway, each in its own file.
pub(crate) const PIPELINES: usize = 200;

/// The limit of the preparations, which are not measured.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The number of starts of each proxy.
const TIMES: usize = 10;

/// The time from the start of a process to its first 200, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) name: &'static str,
    pub(crate) median_millis: f64,
    pub(crate) worst_millis: f64,
    /// The ratio to the median of the minimal proxy.
    pub(crate) ratio: f64,
}

/// Starts both proxies in turn.
///
/// # Errors
/// Fails if a proxy does not respond.
pub(crate) async fn measure(cpus: &Cpus) -> Outcome<Vec<Start>> {
    let mut upstream = Process::upstream();
    upstream.wait_until_serving(&GetRequest::new(upstream.address, "/")).await?;
    let (mut smallest, mut harmony) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let mut proxy = Process::smallest_proxy(cpus, upstream.address);
        let request = GetRequest::new(proxy.address, "/");
        smallest.push(proxy.wait_until_serving(&request).await?.as_secs_f64() * 1e3);
        drop(proxy);

        let port = free_port();
        let files = configuration::many(port, upstream.address, PIPELINES);
        let mut proxy = Process::harmony(cpus, files, port);
        let request = GetRequest::new(proxy.address, &format!("/{}", pipeline_name(PIPELINES - 1)));
        harmony.push(proxy.wait_until_serving(&request).await?.as_secs_f64() * 1e3);
    }
    let cold = with_unresponsive_control_plane(cpus, upstream.address).await?;
    let least = median(smallest.iter().copied());
    let row = |name, millis: &[f64]| {
        let median_millis = median(millis.iter().copied());
        Start { name, median_millis, worst_millis: worst(millis), ratio: median_millis / least }
    };
    Ok(vec![
        row("minimal hyper proxy", &smallest),
        row("harmony-host", &harmony),
        row("harmony-host, by reference, control plane down", &cold),
    ])
}

/// Measures starts up to the first response from another team's resource, while the control plane accepts connections
/// and does not respond. An earlier process has resolved and saved the reference.
async fn with_unresponsive_control_plane(cpus: &Cpus, upstream: SocketAddr) -> Outcome<Vec<f64>> {
    let cloud = ControlPlane::start().await;
    cloud.authorize("partner", "partner-gateway");
    cloud.seed("partner-gateway", "pipeline", &configuration::partner(upstream));
    let machine_token = cloud.authorize("bench", "bench").to_string();
    let port = free_port();
    let files = Arc::new(configuration::with_runbeam(port, upstream, PIPELINES, cloud.url()));
    let mut first = Process::harmony_authorized(cpus, &files, port, &machine_token);
    let request = GetRequest::new(first.address, "/far");
    first.wait_until_serving(&request).await?;
    // The resolution is saved asynchronously.
    let saved = files.path().join(".runbeam/harmony/last-good");
    let since = Instant::now();
    while !contains(&saved, r#""reference":"runbeam.partner.ingress.name.api""#) {
        if since.elapsed() > TIMEOUT {
            return Err("start: the resolution of the reference was not saved".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(first);
    cloud.inject(When::default(), Fault::Silence);
    let mut millis = Vec::new();
    for _ in 0..TIMES {
        let mut proxy = Process::harmony_authorized(cpus, &files, port, &machine_token);
        millis.push(proxy.wait_until_serving(&request).await?.as_secs_f64() * 1e3);
    }
    Ok(millis)
}

/// Returns true if a file below `directory` contains `text`.
fn contains(directory: &Path, text: &str) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => contains(&path, text),
        false => fs::read_to_string(&path).is_ok_and(|found| found.contains(text)),
    })
}
