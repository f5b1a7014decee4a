//! Load on a proxy, and what it shows.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::connection::{Connection, GetRequest};
use crate::process::Process;
use crate::upstream::BODY_BYTES;

/// The number of connections. Each sends its next request when it has the last response.
pub(crate) const CONNECTIONS: usize = 64;

/// The result of one measurement under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    /// CPU time of the proxy, user and system, in microseconds.
    pub(crate) cpu_micros_per_request: f64,
    /// The user part of it, without the work of the kernel.
    pub(crate) user_micros_per_request: f64,
    /// The share of the time that the proxy was on a CPU, from 0 to 1.
    pub(crate) busy: f64,
    /// The mean latency from the first byte sent to the last received, in microseconds.
    pub(crate) mean_micros: f64,
}

/// The responses over all connections.
#[derive(Debug, Default)]
struct Counts {
    valid: AtomicU64,
    failed: AtomicU64,
    first_error: Mutex<Option<String>>,
}

impl Counts {
    fn record(&self, error: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.first_error.lock().expect("no panic").get_or_insert(error);
    }
}

/// Loads `proxy` with `request`: a warm-up, then the measurement.
///
/// # Errors
/// Returns the number of failed requests and the first error.
pub(crate) async fn load(
    proxy: &Process,
    request: &GetRequest,
    arguments: &Arguments,
) -> Result<Sample, String> {
    let counts = Arc::new(Counts::default());
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        tasks.spawn(send_requests(proxy.address, request.clone(), Arc::clone(&counts)));
    }
    tokio::time::sleep(arguments.warm_up()).await;
    let (began, cpu, count) = (Instant::now(), proxy.cpu_time(), counts.valid.load(Ordering::Relaxed));
    tokio::time::sleep(arguments.window()).await;
    let count = (counts.valid.load(Ordering::Relaxed) - count) as f64;
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), proxy.cpu_time() - cpu);
    tasks.shutdown().await;
    if let Some(first) = counts.first_error.lock().expect("no panic").take() {
        return Err(format!("{} failed requests, the first: {first}", counts.failed.load(Ordering::Relaxed)));
    }
    Ok(Sample {
        requests_per_second: count / elapsed,
        cpu_micros_per_request: cpu.total() / count * 1e6,
        user_micros_per_request: cpu.user / count * 1e6,
        busy: cpu.total() / elapsed,
        mean_micros: elapsed / count * CONNECTIONS as f64 * 1e6,
    })
}

async fn send_requests(address: SocketAddr, request: GetRequest, counts: Arc<Counts>) {
    loop {
        let error = match Connection::open(address).await {
            Ok(connection) => send_until_error(connection, &request, &counts).await,
            Err(error) => error,
        };
        counts.record(error);
        // Without a pause, a proxy that is gone would make this a busy loop.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn send_until_error(mut connection: Connection, request: &GetRequest, counts: &Counts) -> String {
    loop {
        match connection.expect(request, BODY_BYTES).await {
            Ok(()) => counts.valid.fetch_add(1, Ordering::Relaxed),
            Err(error) => return error,
        };
    }
}
