use std::time::Duration;

use harmony_tests::free_port;
use serde::Serialize;

use crate::Outcome;
use crate::configuration::{self, numbered};
use crate::connection::Ask;
use crate::cpus::Cpus;
use crate::process::Process;

/// How many pipelines the gateway has.
pub(crate) const PIPELINES: usize = 10;

/// How long after the start it is looked at. Nothing was asked of it until then.
const IDLE: Duration = Duration::from_secs(2);

/// The memory of an idle process, in MiB.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) name: &'static str,
    pub(crate) resident_mib: f64,
    /// What of that is no file's, the program itself among them.
    pub(crate) anonymous_mib: f64,
    /// Resident memory over that of the smallest proxy.
    pub(crate) ratio: f64,
}

/// Looks at both proxies at rest.
///
/// # Errors
/// When one does not answer afterwards.
pub(crate) async fn measure(cpus: &Cpus) -> Outcome<Vec<Memory>> {
    let mut upstream = Process::upstream();
    upstream.until_answering(&Ask::new(upstream.address, "/")).await?;
    let port = free_port();
    let files = configuration::many(port, upstream.address, PIPELINES);
    let proxies = [
        ("smallest hyper proxy", Process::smallest_proxy(cpus, upstream.address), "/".to_owned()),
        ("harmony-host", Process::harmony(cpus, files, port), format!("/{}", numbered(0))),
    ];
    tokio::time::sleep(IDLE).await;
    let mut all: Vec<Memory> = Vec::new();
    for (name, mut proxy, path) in proxies {
        let (resident_mib, anonymous_mib) =
            (proxy.memory("VmRSS") / 1024.0, proxy.memory("RssAnon") / 1024.0);
        let least = all.first().map_or(resident_mib, |smallest| smallest.resident_mib);
        all.push(Memory { name, resident_mib, anonymous_mib, ratio: resident_mib / least });
        proxy.until_answering(&Ask::new(proxy.address, &path)).await?;
    }
    Ok(all)
}
