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
use crate::configuration::{self, numbered};
use crate::connection::Ask;
use crate::cpus::Cpus;
use crate::process::Process;
use crate::statistics::{median, worst};

/// How many pipelines the gateway starts with, in a file each.
pub(crate) const PIPELINES: usize = 200;

/// How long something may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often each is started.
const TIMES: usize = 10;

/// How long it took from starting a process to its first 200, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) name: &'static str,
    pub(crate) median_millis: f64,
    pub(crate) worst_millis: f64,
    /// The median over that of the smallest proxy.
    pub(crate) ratio: f64,
}

/// Starts both proxies in turn.
///
/// # Errors
/// When one does not come to answer.
pub(crate) async fn measure(cpus: &Cpus) -> Outcome<Vec<Start>> {
    let mut upstream = Process::upstream();
    upstream.until_answering(&Ask::new(upstream.address, "/")).await?;
    let (mut smallest, mut harmony) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let mut proxy = Process::smallest_proxy(cpus, upstream.address);
        let ask = Ask::new(proxy.address, "/");
        smallest.push(proxy.until_answering(&ask).await?.as_secs_f64() * 1e3);
        drop(proxy);

        let port = free_port();
        let files = configuration::many(port, upstream.address, PIPELINES);
        let mut proxy = Process::harmony(cpus, files, port);
        let ask = Ask::new(proxy.address, &format!("/{}", numbered(PIPELINES - 1)));
        harmony.push(proxy.until_answering(&ask).await?.as_secs_f64() * 1e3);
    }
    let cold = with_a_silent_control_plane(cpus, upstream.address).await?;
    let least = median(smallest.iter().copied());
    let row = |name, millis: &[f64]| {
        let median_millis = median(millis.iter().copied());
        Start { name, median_millis, worst_millis: worst(millis), ratio: median_millis / least }
    };
    Ok(vec![
        row("smallest hyper proxy", &smallest),
        row("harmony-host", &harmony),
        row("the same, control plane silent, by reference", &cold),
    ])
}

/// Until the first answer of another team's resource, which a process before has resolved, while the control plane
/// takes connections and says nothing.
async fn with_a_silent_control_plane(cpus: &Cpus, upstream: SocketAddr) -> Outcome<Vec<f64>> {
    let cloud = ControlPlane::start().await;
    cloud.authorized("partner", "partner-gateway");
    cloud.seed("partner-gateway", "pipeline", &configuration::partner(upstream));
    let machine_token = cloud.authorized("bench", "bench").to_string();
    let port = free_port();
    let files = Arc::new(configuration::followed(port, upstream, PIPELINES, cloud.url()));
    let mut before = Process::authorized(cpus, &files, port, &machine_token);
    let ask = Ask::new(before.address, "/far");
    before.until_answering(&ask).await?;
    // Where the reference leads is kept soon after.
    let kept = files.path().join(".runbeam/harmony/last-good");
    let since = Instant::now();
    while !mentions(&kept, r#""reference":"runbeam.partner.ingress.name.api""#) {
        if since.elapsed() > PATIENCE {
            return Err("start: where a reference led was not kept".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(before);
    cloud.fault(When::default(), Fault::Silence);
    let mut millis = Vec::new();
    for _ in 0..TIMES {
        let mut proxy = Process::authorized(cpus, &files, port, &machine_token);
        millis.push(proxy.until_answering(&ask).await?.as_secs_f64() * 1e3);
    }
    Ok(millis)
}

/// Whether a file below `directory` has `text` in it.
fn mentions(directory: &Path, text: &str) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => mentions(&path, text),
        false => fs::read_to_string(&path).is_ok_and(|found| found.contains(text)),
    })
}
