//! Latency at a constant rate, from the time at which a request was due: a proxy that stalls cannot delay the requests by
//! which it is measured.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Times;
use super::client::Client;
use super::load::FirstError;
use super::pacer::{Pacer, Schedule};
use super::rounds::Rounds;
use super::scenarios::Scenario;
use super::target::Target;
use crate::Outcome;
use crate::process_tree::ProcessTree;
use crate::statistics::percentile;
use crate::upstream::Body;

/// The share of the first proxy's throughput in a closed loop.
const SHARE: f64 = 0.7;

/// The time that the last requests of a measurement have for their responses.
const GRACE: Duration = Duration::from_millis(200);

/// The percentiles.
pub(crate) const PERCENTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// The latencies at one rate. Ratios compare with the first row.
#[derive(Debug, Serialize)]
pub(crate) struct ConstantRate {
    pub(crate) share_of_knee: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) connections: usize,
    pub(crate) rows: Vec<Latency>,
}

/// The medians of one proxy over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) name: &'static str,
    /// p50, p99 and p99.9. Lower bounds if a part of the requests was not answered.
    pub(crate) micros: [f64; 3],
    /// The medians of their ratios to the first proxy in the same round.
    pub(crate) ratios: [f64; 3],
    /// The share of the requests that were answered by the end of the measurement.
    pub(crate) answered: f64,
    pub(crate) busy: f64,
}

/// The result of one measurement.
#[derive(Clone, Copy, Debug)]
struct Sample {
    micros: [f64; 3],
    answered: f64,
    busy: f64,
}

/// The responses of one connection.
#[derive(Debug, Default)]
struct Responses {
    /// The number of requests that were answered.
    count: AtomicUsize,
    /// The latencies of those that were due within the measurement, in microseconds.
    micros: Mutex<Vec<f64>>,
}

/// Loads the targets of a scenario in turn with the same share of `knee`.
pub(super) async fn measure(
    scenario: &Scenario<'_>,
    knee: f64,
    rounds: u32,
    times: Times,
    failures: &mut Vec<String>,
) -> ConstantRate {
    let connections = scenario.connections;
    let requests_per_second = knee * SHARE;
    let targets = &scenario.targets;
    let each = async |target: &Target<'_>| {
        sample(target, connections, scenario.body, requests_per_second, times).await
    };
    let rounds = Rounds::measure(rounds, "constant rate", targets, failures, each).await;
    let row = |(n, target): (usize, &Target<'_>)| Latency {
        name: target.name,
        micros: [0, 1, 2].map(|p| rounds.median(n, |sample| sample.micros[p])),
        ratios: [0, 1, 2].map(|p| rounds.ratio(n, 0, |sample| sample.micros[p])),
        answered: rounds.median(n, |sample| sample.answered),
        busy: rounds.median(n, |sample| sample.busy),
    };
    let rows = if rounds.is_empty() { Vec::new() } else { targets.iter().enumerate().map(row).collect() };
    ConstantRate { share_of_knee: SHARE, requests_per_second, connections, rows }
}

/// Loads one target: a warm-up, then the measurement.
async fn sample(
    target: &Target<'_>,
    connections: usize,
    body: Body,
    requests_per_second: f64,
    times: Times,
) -> Outcome<Sample> {
    let tree = ProcessTree::of(target.process.id());
    let clients = Client::open_all(target, connections, 1, body).await?;
    let schedule = Schedule { start: Instant::now(), requests_per_second, connections };
    let from = schedule.start + times.warm_up;
    let to = from + times.window;
    let error = Arc::new(FirstError::default());
    let (mut tasks, mut wakes, mut all) = (JoinSet::new(), Vec::new(), Vec::new());
    for (connection, client) in clients.into_iter().enumerate() {
        let (wake, responses) = (Arc::new(Notify::new()), Arc::new(Responses::default()));
        wakes.push(Arc::clone(&wake));
        all.push(Arc::clone(&responses));
        let error = Arc::clone(&error);
        tasks.spawn(async move {
            let failed = send(client, connection, schedule, &wake, (from, to), &responses).await;
            error.record(failed);
        });
    }
    let pacer = Pacer::start(schedule, wakes);
    tokio::time::sleep_until(from).await;
    let (began, cpu) = (Instant::now(), tree.cpu_time());
    tokio::time::sleep_until(to).await;
    let busy = (tree.cpu_time() - cpu).total() / began.elapsed().as_secs_f64();
    tokio::time::sleep(GRACE).await;
    let end = Instant::now();
    drop(pacer);
    tasks.shutdown().await;
    error.take()?;
    let (micros, answered) = latencies(&all, schedule, (from, to), end);
    Ok(Sample { micros: PERCENTILES.map(|share| percentile(&micros, share)), answered, busy })
}

/// Sends each request of a connection when it is due, or as soon as the connection is free after that, until one fails.
async fn send(
    mut client: Client,
    connection: usize,
    schedule: Schedule,
    wake: &Notify,
    (from, to): (Instant, Instant),
    responses: &Responses,
) -> String {
    for turn in 0.. {
        let due = schedule.due(connection, turn);
        while Instant::now() < due {
            wake.notified().await;
        }
        if let Err(error) = client.exchange().await {
            return error;
        }
        responses.count.fetch_add(1, Ordering::Relaxed);
        if (from..to).contains(&due) {
            let micros = due.elapsed().as_secs_f64() * 1e6;
            responses.micros.lock().unwrap_or_else(PoisonError::into_inner).push(micros);
        }
    }
    "no request is left".to_owned()
}

/// Returns the sorted latencies of all requests that were due within the measurement, and the share that was answered.
/// A request without a response counts with the time that it has waited until `end`: it would take no less.
fn latencies(
    all: &[Arc<Responses>],
    schedule: Schedule,
    (from, to): (Instant, Instant),
    end: Instant,
) -> (Vec<f64>, f64) {
    let mut micros = Vec::new();
    for responses in all {
        micros.extend_from_slice(&responses.micros.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let answered = micros.len();
    for (connection, responses) in all.iter().enumerate() {
        let open = responses.count.load(Ordering::Relaxed)..;
        let due = open.map(|turn| schedule.due(connection, turn)).take_while(|due| *due < to);
        micros.extend(due.filter(|due| *due >= from).map(|due| (end - due).as_secs_f64() * 1e6));
    }
    micros.sort_by(f64::total_cmp);
    let share = answered as f64 / micros.len().max(1) as f64;
    (micros, share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_response_counts_as_waiting() {
        let start = Instant::now();
        let schedule = Schedule { start, requests_per_second: 10.0, connections: 1 };
        let responses = Responses { count: AtomicUsize::new(3), micros: Mutex::new(vec![50.0]) };
        let at = |millis| start + Duration::from_millis(millis);
        // Due within the measurement: 200 ms, which was answered, 300 ms and 400 ms.
        let (micros, answered) = latencies(&[Arc::new(responses)], schedule, (at(150), at(450)), at(500));
        assert_eq!(
            micros.iter().map(|micros| micros.round()).collect::<Vec<_>>(),
            [50.0, 100_000.0, 200_000.0]
        );
        assert!((answered - 1.0 / 3.0).abs() < 1e-9, "{answered}");
    }
}
