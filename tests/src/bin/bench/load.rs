use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::arguments::Arguments;
use crate::connection::{Ask, Connection};
use crate::process::Process;
use crate::upstream::BODY_BYTES;

/// How many connections ask at the same time, each for the next answer once it has the last.
pub(crate) const CONNECTIONS: usize = 64;

/// What one window of load showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    /// Of the proxy, user and system, in microseconds.
    pub(crate) cpu_micros_per_request: f64,
    /// The user part of that: what the proxy itself does, without the work of the kernel.
    pub(crate) user_micros_per_request: f64,
    /// Which share of the time the proxy was on a CPU.
    pub(crate) busy: f64,
    /// From the first byte sent to the last received, in microseconds, on average.
    pub(crate) mean_micros: f64,
}

/// Counts answers over all connections.
#[derive(Debug, Default)]
struct Tally {
    right: AtomicU64,
    wrong: AtomicU64,
    first_wrong: Mutex<Option<String>>,
}

impl Tally {
    fn note(&self, wrong: String) {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        self.first_wrong.lock().expect("no panic").get_or_insert(wrong);
    }
}

/// Loads `proxy` with `ask`: a warm-up, then the window that counts.
///
/// # Errors
/// How many answers were wrong, and the first of them.
pub(crate) async fn load(proxy: &Process, ask: &Ask, arguments: &Arguments) -> Result<Sample, String> {
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        tasks.spawn(keep_asking(proxy.address, ask.clone(), Arc::clone(&tally)));
    }
    tokio::time::sleep(arguments.warm_up()).await;
    let (began, cpu, count) = (Instant::now(), proxy.cpu_time(), tally.right.load(Ordering::Relaxed));
    tokio::time::sleep(arguments.window()).await;
    let count = (tally.right.load(Ordering::Relaxed) - count) as f64;
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), proxy.cpu_time() - cpu);
    tasks.shutdown().await;
    if let Some(first) = tally.first_wrong.lock().expect("no panic").take() {
        return Err(format!("{} wrong answers, the first: {first}", tally.wrong.load(Ordering::Relaxed)));
    }
    Ok(Sample {
        requests_per_second: count / elapsed,
        cpu_micros_per_request: cpu.total() / count * 1e6,
        user_micros_per_request: cpu.user / count * 1e6,
        busy: cpu.total() / elapsed,
        mean_micros: elapsed / count * CONNECTIONS as f64 * 1e6,
    })
}

async fn keep_asking(address: SocketAddr, ask: Ask, tally: Arc<Tally>) {
    loop {
        let wrong = match Connection::open(address).await {
            Ok(connection) => until_wrong(connection, &ask, &tally).await,
            Err(wrong) => wrong,
        };
        tally.note(wrong);
        // A proxy that is gone is not asked as fast as possible.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn until_wrong(mut connection: Connection, ask: &Ask, tally: &Tally) -> String {
    loop {
        match connection.expect(ask, BODY_BYTES).await {
            Ok(()) => tally.right.fetch_add(1, Ordering::Relaxed),
            Err(wrong) => return wrong,
        };
    }
}
