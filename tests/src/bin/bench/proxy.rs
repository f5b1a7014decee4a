//! harmony-host beside the proxies that people run: nginx and haproxy, where they are installed.

mod client;
mod closed_loop;
mod constant_rate;
mod http1;
mod http2;
mod idle;
mod instructions;
mod load;
mod open_files;
mod pacer;
mod proxies;
mod rounds;
mod scenarios;
mod servers;
mod target;
mod threads;
mod upstream;

use std::time::Duration;

use harmony_tests::Identity;
use serde::Serialize;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::cpus::Cpus;
pub(crate) use closed_loop::Row;
pub(crate) use constant_rate::ConstantRate;
pub(crate) use idle::{CONNECTIONS as IDLE_CONNECTIONS, INTERVAL as IDLE_INTERVAL, Idle};
pub(crate) use instructions::Instructions;
use proxies::Proxies;
use scenarios::Scenario;
use servers::Kind;
pub(crate) use threads::Threads;
use upstream::Upstream;

/// An upper bound of the number of load measurements in a round.
pub(crate) const MEASUREMENTS: u32 = 42;

/// The measurements beside nginx and haproxy.
#[derive(Debug, Serialize)]
pub(crate) struct ProxyReport {
    /// The server behind the proxies.
    pub(crate) upstream: &'static str,
    /// The programs that are not installed.
    pub(crate) missing: Vec<&'static str>,
    /// The measurements that cannot be made, with the reason.
    pub(crate) left_out: Vec<&'static str>,
    pub(crate) scenarios: Vec<Measured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) constant_rate: Option<ConstantRate>,
    pub(crate) threads: Vec<Threads>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) instructions: Instructions,
}

/// The results of one scenario. The first row is the one with which ratios compare.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) title: &'static str,
    pub(crate) connections: usize,
    /// The number of requests that each connection has at a time.
    pub(crate) streams: usize,
    pub(crate) body_bytes: usize,
    pub(crate) rows: Vec<Row>,
}

/// The durations of one measurement under load.
#[derive(Clone, Copy, Debug)]
struct Times {
    warm_up: Duration,
    window: Duration,
}

/// Measures all scenarios, each with its proxies in turn, round by round.
///
/// # Errors
/// Fails if a proxy does not start, or if a response is wrong before the load. Failures under load are added to `failures`.
pub(crate) async fn measure(
    arguments: &Arguments,
    cpus: &Cpus,
    failures: &mut Vec<String>,
) -> Outcome<ProxyReport> {
    open_files::raise();
    // The connections are open before the warm-up, and the proxies are warm after the first round.
    let times = Times { warm_up: arguments.warm_up() / 2, window: arguments.window() };
    let identity = Identity::new();
    let upstream = Upstream::start(&identity).await?;
    let proxies = Proxies::start(cpus, &upstream, &identity).await?;
    let mut scenarios = Vec::new();
    for scenario in scenarios::all(&proxies, &upstream) {
        scenarios.push(scenario.measure(arguments.rounds, times, failures).await);
    }
    let main = scenarios::main(&proxies, &upstream);
    let rate = scenarios.first().and_then(|main| main.rows.first()).map(|row| row.requests_per_second);
    let constant_rate = match rate {
        Some(knee) => Some(constant_rate::measure(&main, knee, arguments.rounds, times, failures).await),
        None => None,
    };
    let instructions = instructions::measure(&main, failures).await;
    drop(main);
    // The next parts start proxies of their own. The timers of these would disturb them.
    drop(proxies);
    let threads = threads::measure(cpus, &upstream, &identity, arguments.rounds, times, failures).await?;
    let idle = idle::measure(cpus, &upstream, &identity).await?;
    let missing = [Kind::Nginx, Kind::Haproxy].into_iter().filter(|kind| !kind.is_installed());
    let missing = missing.map(Kind::program).collect();
    let mut left_out = Vec::new();
    if upstream.tls.is_none() {
        left_out.push("TLS on both sides, since the benchmark's own server has no TLS");
    }
    if !cpus.has_two() {
        left_out.push("two threads, since the proxy cannot have two CPUs");
    }
    Ok(ProxyReport {
        upstream: upstream.name,
        missing,
        left_out,
        scenarios,
        constant_rate,
        threads,
        idle,
        instructions,
    })
}

impl Scenario<'_> {
    /// Measures the scenario in a closed loop.
    async fn measure(&self, rounds: u32, times: Times, failures: &mut Vec<String>) -> Measured {
        let rows = closed_loop::rows(self, rounds, times, failures).await;
        let Self { title, connections, streams, body, .. } = *self;
        Measured { title, connections, streams, body_bytes: body.bytes(), rows }
    }
}
