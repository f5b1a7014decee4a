//! Throughput and CPU time: each connection sends its next request when it has the last response.

use serde::Serialize;
use tokio::time::Instant;

use super::Times;
use super::client::Client;
use super::load::Load;
use super::rounds::Rounds;
use super::scenarios::Scenario;
use super::target::Target;
use crate::Outcome;
use crate::process_tree::ProcessTree;
use crate::upstream::Body;

/// The result of one measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) requests_per_second: f64,
    /// CPU time of the proxy with its child processes, user and system, in microseconds.
    pub(super) cpu_micros_per_request: f64,
    pub(super) user_micros_per_request: f64,
    /// The CPU time per time that passed: 1 is one CPU all the time.
    pub(super) busy: f64,
}

/// The medians of one proxy over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) requests_per_second: f64,
    /// The median of the ratios to the first proxy in the same round.
    pub(crate) rate_ratio: f64,
    pub(crate) cpu_micros_per_request: f64,
    /// The median of the ratios of the first proxy's CPU time to this one's in the same round.
    pub(crate) cpu_ratio: f64,
    pub(crate) user_micros_per_request: f64,
    pub(crate) busy: f64,
}

/// Loads the proxies of a scenario in turn. Returns no row if each round has a failure.
pub(super) async fn rows(
    scenario: &Scenario<'_>,
    rounds: u32,
    times: Times,
    failures: &mut Vec<String>,
) -> Vec<Row> {
    let Scenario { title, connections, streams, body, ref targets } = *scenario;
    let title = format!("{title}, {connections} connections, {} bytes", body.bytes());
    let each = async |target: &Target<'_>| sample(target, connections, streams, body, times).await;
    let rounds = Rounds::measure(rounds, &title, targets, failures, each).await;
    if rounds.is_empty() {
        return Vec::new();
    }
    let row = |(n, target): (usize, &Target<'_>)| Row {
        name: target.name,
        requests_per_second: rounds.median(n, |sample| sample.requests_per_second),
        rate_ratio: rounds.ratio(n, 0, |sample| sample.requests_per_second),
        cpu_micros_per_request: rounds.median(n, |sample| sample.cpu_micros_per_request),
        cpu_ratio: rounds.ratio(n, 0, |sample| sample.cpu_micros_per_request.recip()),
        user_micros_per_request: rounds.median(n, |sample| sample.user_micros_per_request),
        busy: rounds.median(n, |sample| sample.busy),
    };
    targets.iter().enumerate().map(row).collect()
}

/// Loads one proxy: a warm-up, then the measurement.
///
/// # Errors
/// Fails if a connection or a response does.
pub(super) async fn sample(
    target: &Target<'_>,
    connections: usize,
    streams: usize,
    body: Body,
    times: Times,
) -> Outcome<Sample> {
    let tree = ProcessTree::of(target.process.id());
    let load = Load::start(Client::open_all(target, connections, streams, body).await?);
    tokio::time::sleep(times.warm_up).await;
    let (began, cpu, count) = (Instant::now(), tree.cpu_time(), load.count());
    tokio::time::sleep(times.window).await;
    let count = load.count() - count;
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), tree.cpu_time() - cpu);
    load.finish().await?;
    if count == 0.0 {
        return Err("no response within the measurement".to_owned());
    }
    Ok(Sample {
        requests_per_second: count / elapsed,
        cpu_micros_per_request: cpu.total() / count * 1e6,
        user_micros_per_request: cpu.user / count * 1e6,
        busy: cpu.total() / elapsed,
    })
}
