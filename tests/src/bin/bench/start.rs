use harmony_tests::free_port;
use serde::Serialize;

use crate::Outcome;
use crate::configuration::{self, numbered};
use crate::connection::Ask;
use crate::cpus::Cpus;
use crate::process::Process;
use crate::statistics::{median, worst};

/// How many pipelines the gateway starts with, in a file each.
pub(crate) const PIPELINES: usize = 200;

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
    let least = median(smallest.iter().copied());
    let row = |name, millis: &[f64]| {
        let median_millis = median(millis.iter().copied());
        Start { name, median_millis, worst_millis: worst(millis), ratio: median_millis / least }
    };
    Ok(vec![row("smallest hyper proxy", &smallest), row("harmony-host", &harmony)])
}
