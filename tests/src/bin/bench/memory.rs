//! The memory of idle proxies.

use std::time::Duration;

use harmony_tests::free_port;
use serde::Serialize;

use crate::Outcome;
use crate::configuration::{self, pipeline_name};
use crate::connection::GetRequest;
use crate::cpus::Cpus;
use crate::process::Process;

/// The number of pipelines of the gateway.
pub(crate) const PIPELINES: usize = 10;

/// The time from the start to the measurement, without requests.
const IDLE: Duration = Duration::from_secs(2);

/// The memory of an idle process, in MiB.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) name: &'static str,
    pub(crate) resident_mib: f64,
    /// The part that is not backed by files, such as the program itself.
    pub(crate) anonymous_mib: f64,
    /// The ratio to the resident memory of the minimal proxy.
    pub(crate) ratio: f64,
}

/// Measures both proxies while they are idle.
///
/// # Errors
/// Fails if a proxy does not respond afterwards.
pub(crate) async fn measure(cpus: &Cpus) -> Outcome<Vec<Memory>> {
    let mut upstream = Process::upstream();
    upstream.wait_until_serving(&GetRequest::new(upstream.address, "/")).await?;
    let port = free_port();
    let files = configuration::many(port, upstream.address, PIPELINES);
    let proxies = [
        ("minimal hyper proxy", Process::smallest_proxy(cpus, upstream.address), "/".to_owned()),
        ("harmony-host", Process::harmony(cpus, files, port), format!("/{}", pipeline_name(0))),
    ];
    tokio::time::sleep(IDLE).await;
    let mut all: Vec<Memory> = Vec::new();
    for (name, mut proxy, path) in proxies {
        let (resident_mib, anonymous_mib) =
            (proxy.memory("VmRSS") / 1024.0, proxy.memory("RssAnon") / 1024.0);
        let least = all.first().map_or(resident_mib, |smallest| smallest.resident_mib);
        all.push(Memory { name, resident_mib, anonymous_mib, ratio: resident_mib / least });
        proxy.wait_until_serving(&GetRequest::new(proxy.address, &path)).await?;
    }
    Ok(all)
}
