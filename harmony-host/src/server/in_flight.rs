//! The requests in flight on a connection, and the time since there were none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http::pace::{PATIENCE, Pace};
use crate::metrics::ListenerTraffic;

/// The activity of one connection.
///
/// A connection is idle while it has no request in flight and no part of a response that its socket does not take. A
/// connection whose client has not sent a whole head is idle too.
#[derive(Debug)]
pub(super) struct Activity {
    /// The time from which `idle_since` counts. All connections of a listener have the same.
    origin: Instant,
    requests: AtomicUsize,
    write_blocked: AtomicBool,
    /// The time of the last change to idle, in milliseconds.
    idle_since: AtomicU64,
    became_idle: Notify,
    /// Set when an exchange has ended.
    has_served: AtomicBool,
    is_closing: AtomicBool,
    /// Set when a request body was not read to its end.
    stays_awake: AtomicBool,
    /// The pace of the client at the socket, and in the exchange of HTTP/1.
    pace: Arc<Pace>,
    streams: Mutex<StreamPaces>,
    /// The counters of the listener.
    traffic: Arc<ListenerTraffic>,
}

/// The paces of the client on the streams of HTTP/2.
#[derive(Debug, Default)]
struct StreamPaces {
    next_id: u64,
    open: BTreeMap<u64, Arc<Pace>>,
}

/// A stream of HTTP/2. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    activity: Arc<Activity>,
    id: u64,
}

/// A request in flight. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl Activity {
    /// Creates the activity of a connection of a listener, which is idle from now on.
    pub(super) fn new(origin: Instant, traffic: Arc<ListenerTraffic>) -> Self {
        Self {
            origin,
            requests: AtomicUsize::new(0),
            write_blocked: AtomicBool::new(false),
            idle_since: AtomicU64::new(millis_since(origin)),
            became_idle: Notify::new(),
            has_served: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            stays_awake: AtomicBool::new(false),
            pace: Arc::new(Pace::new()),
            streams: Mutex::default(),
            traffic,
        }
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.traffic.begin();
        InFlight(Arc::clone(self))
    }

    /// Returns the counters of the listener.
    pub(super) fn traffic(&self) -> &ListenerTraffic {
        &self.traffic
    }

    /// Begins a stream of HTTP/2, on which the client has `pace`.
    pub(super) fn open_stream(self: &Arc<Self>, pace: Arc<Pace>) -> OpenStream {
        let mut streams = self.streams();
        let id = streams.next_id;
        streams.next_id += 1;
        streams.open.insert(id, pace);
        OpenStream { activity: Arc::clone(self), id }
    }

    /// Returns the pace of the client at the socket, and in the exchange of HTTP/1.
    pub(super) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Returns true for a client that has made a request and may make another one.
    pub(super) fn is_regular(&self) -> bool {
        let has_requests = self.requests() > 0 || self.has_served.load(Ordering::Relaxed);
        has_requests && !self.is_closing.load(Ordering::Relaxed)
    }

    /// Notes that the connection takes no more requests, and is idle from now on.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.note_if_idle();
    }

    /// Returns the exchanges whose client is so far behind that they can give way.
    pub(super) fn slow_exchanges(&self) -> Vec<Arc<Pace>> {
        if self.pace.behind() >= PATIENCE {
            return self.pace.can_give_way().then(|| Arc::clone(&self.pace)).into_iter().collect();
        }
        self.streams().open.values().filter(|pace| pace.can_give_way()).map(Arc::clone).collect()
    }

    /// Returns the time by which the client is behind in all of its exchanges. They can all give way if that is long enough.
    pub(super) fn behind(&self) -> Duration {
        let streams = self.streams().open.values().map(|pace| pace.behind()).min();
        self.pace.behind().max(streams.unwrap_or_default())
    }

    /// Tells the exchanges that can give way to end.
    pub(super) fn end_slow_exchanges(&self) {
        for pace in self.slow_exchanges() {
            pace.end();
        }
    }

    fn streams(&self) -> MutexGuard<'_, StreamPaces> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of requests in flight.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Notes if the socket takes no more of a response. The server drops a response that it has buffered, so the number
    /// of requests alone does not say that the client has all of it.
    pub(super) fn set_write_blocked(&self, blocked: bool) {
        if self.write_blocked.load(Ordering::Relaxed) != blocked {
            self.write_blocked.store(blocked, Ordering::Relaxed);
            self.note_if_idle();
        }
    }

    /// Returns the time since which the connection is idle, in milliseconds; `None` while it is not.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let is_idle = self.requests() == 0 && !self.write_blocked.load(Ordering::Relaxed);
        is_idle.then(|| self.idle_since.load(Ordering::Relaxed))
    }

    /// Waits until the connection has been idle for `wait`, counted from this call at the earliest. Cancel safe.
    pub(super) async fn idle_for(&self, wait: Duration) {
        loop {
            let mut became_idle = std::pin::pin!(self.became_idle.notified());
            became_idle.as_mut().enable();
            match self.idle_since() {
                Some(since) => {
                    tokio::time::sleep(wait).await;
                    if self.idle_since() == Some(since) {
                        return;
                    }
                }
                None => became_idle.await,
            }
        }
    }

    /// Waits until the connection has been idle for `timeout`. Requests set no timer for it: it runs on while there are some,
    /// and is set again when it has passed. Cancel safe.
    pub(super) async fn silent_for(&self, timeout: Duration) {
        self.idle_long(timeout, |_| true).await;
    }

    /// Waits until the connection has been idle for `time` and can rest: it takes further requests, and the last one was read to its
    /// end. Returns since when it is idle, which is not `last`. Cancel safe.
    pub(super) async fn rests(&self, time: Duration, last: Option<u64>) -> u64 {
        let is_awake = || self.is_closing.load(Ordering::Relaxed) || self.stays_awake.load(Ordering::Relaxed);
        self.idle_long(time, |since| Some(since) != last && !is_awake()).await
    }

    /// Keeps the connection from resting, since a request is not read to its end.
    pub(super) fn stay_awake(&self) {
        self.stays_awake.store(true, Ordering::Relaxed);
    }

    /// Waits until the connection has been idle for `time`, since a moment that `is_meant` takes.
    async fn idle_long(&self, time: Duration, is_meant: impl Fn(u64) -> bool) -> u64 {
        loop {
            let mut became_idle = std::pin::pin!(self.became_idle.notified());
            became_idle.as_mut().enable();
            match self.idle_since().filter(|since| is_meant(*since)) {
                Some(since) => {
                    let end = self.origin + Duration::from_millis(since) + time;
                    if Instant::now() >= end {
                        return since;
                    }
                    tokio::time::sleep_until(end).await;
                }
                None => became_idle.await,
            }
        }
    }

    fn note_if_idle(&self) {
        if self.idle_since().is_some() {
            // Nothing is waited for; what the client was behind with is over.
            self.pace.reset();
            self.idle_since.store(millis_since(self.origin), Ordering::Relaxed);
            self.became_idle.notify_waiters();
        }
    }
}

impl InFlight {
    /// Returns the activity of the connection.
    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }

    /// Returns the counters of the listener.
    pub(super) fn traffic(&self) -> &ListenerTraffic {
        &self.0.traffic
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.traffic.finish();
        self.0.has_served.store(true, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.note_if_idle();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.activity.streams().open.remove(&self.id);
    }
}

/// Returns the milliseconds since `origin`.
pub(super) fn millis_since(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn requests_and_blocked_writes_are_not_idle() {
        let activity = Arc::new(Activity::new(Instant::now(), Arc::default()));
        tokio::time::sleep(SECOND).await;
        assert_eq!(activity.idle_since(), Some(0));
        let [one, other] = [activity.begin(), activity.begin()];
        drop(one);
        assert_eq!((activity.idle_since(), activity.requests()), (None, 1));
        activity.set_write_blocked(true);
        drop(other);
        assert_eq!(activity.idle_since(), None);
        activity.set_write_blocked(false);
        assert_eq!(activity.idle_since(), Some(1000));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_counted_from_the_last_request() {
        let activity = Arc::new(Activity::new(Instant::now(), Arc::default()));
        let start = Instant::now();
        let requests = async {
            for _ in 0..4 {
                tokio::time::sleep(5 * SECOND).await;
                drop(activity.begin());
            }
            // One that takes longer than the silence that is waited for.
            let long = activity.begin();
            tokio::time::sleep(50 * SECOND).await;
            drop(long);
        };
        tokio::join!(activity.silent_for(10 * SECOND), requests);
        assert_eq!(start.elapsed().as_secs(), 80);
    }

    #[tokio::test(start_paused = true)]
    async fn idleness_is_waited_for() {
        let activity = Arc::new(Activity::new(Instant::now(), Arc::default()));
        activity.idle_for(SECOND).await;
        let request = activity.begin();
        assert!(timeout(100 * SECOND, activity.idle_for(SECOND)).await.is_err());
        let ending = async {
            tokio::time::sleep(5 * SECOND).await;
            drop(request);
        };
        let ended = Instant::now() + 6 * SECOND;
        tokio::join!(activity.idle_for(SECOND), ending);
        assert!(Instant::now() >= ended);
    }
}
