//! The lease: a cached value that expires, with at most one fetch in flight.

mod entry;
mod flight;
mod per_thread;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

pub use self::entry::Valid;
use self::entry::{Entry, MAX_LIFETIME};
use self::flight::{FlightSlot, Outcome, State, Waiter};
pub use self::per_thread::{PerThread, Shared};
use crate::{Error, ErrorKind};

/// The result of a fetch: a value and the time for which it is valid, counted from the end of the fetch.
///
/// A lease caps that time at 30 days. A value with a time of zero goes only to the calls that waited for its fetch.
pub type Fetched<V> = Result<(V, Duration), Error>;

/// A future that fetches a value for a lease.
///
/// The future is `'static`: it runs in a task of its own and outlives the call that started it.
pub type Fetch<V> = Pin<Box<dyn Future<Output = Fetched<V>> + Send>>;

/// A cache for one remote value that expires: a token, a key set, a resolved reference.
///
/// * **Valid values are returned at once**, without a lock, without an allocation, and without a reference count that all
///   threads write.
/// * **Refresh ahead of expiry.** Between 50 % and 75 % of the lifetime of a value, the next call starts a
///   fetch in the background. The exact moment is random, so that gateways that started together do not send
///   their requests together. A failed refresh does not remove the valid value. The lease waits before it
///   tries again: 5 % to 15 % of the remaining lifetime, at least 500 ms, and at least the
///   [`retry_after`](Error::retry_after) of the error.
/// * **Single flight.** At most one fetch runs at a time. All callers that wait for it get its result. The fetch does not
///   end with the call that started it: when that caller has given up, the next one gets the result.
/// * **Errors are not cached.** A call after a failed fetch starts a new one. [`newer`](Self::newer) is the
///   exception: its cooldown applies to failed fetches as well.
///
/// All times are on tokio's clock: a step of the wall clock neither expires nor prolongs a value. That clock can stand still
/// while the machine is suspended, so a value with an end on the wall clock is checked against it with
/// [`get_if`](Self::get_if).
/// Dropping the lease does not stop a fetch; its result is then discarded. A fetch that takes more than 2 minutes is
/// dropped and fails with [`Unavailable`](ErrorKind::Unavailable), so that a source that never answers does not close the
/// lease for good.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use provider_api::{Error, Fetch, Lease};
///
/// /// Stands in for an HTTP request; the key set is valid for one hour.
/// fn fetch_keys() -> Fetch<String> {
///     Box::pin(async { Ok(("key set".to_owned(), Duration::from_secs(3600))) })
/// }
///
/// # async fn example() -> Result<(), Arc<Error>> {
/// let lease = Lease::new();
/// // The first call fetches, the second one returns the cached value.
/// assert_eq!(*lease.get(fetch_keys).await?, "key set");
/// assert_eq!(*lease.get(fetch_keys).await?, "key set");
///
/// // A token names a key that the set does not contain: fetch a newer set, but at most once a minute.
/// let keys = lease.newer(Duration::from_secs(60), fetch_keys).await?;
/// assert_eq!(*keys, "key set");
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
pub struct Lease<V> {
    current: ArcSwapOption<PerThread<Shared<Entry<V>>>>,
    /// The earliest moment of the next background refresh, in milliseconds since `created_at`. Later than
    /// now only after a refresh that failed.
    refresh_not_before: AtomicU64,
    /// The start of the last fetch, in milliseconds since `created_at` plus one; zero before the first.
    fetch_started: AtomicU64,
    /// The start of the last fetch that has ended, in the same form.
    ended_fetch_started: AtomicU64,
    /// The origin of the moments above: an `Instant` does not fit into an atomic.
    created_at: Instant,
    flight: Arc<FlightSlot<V>>,
}

/// The longest time that a fetch may take. A provider has deadlines of its own; this one is for those that do not keep
/// them, since nobody else would end the fetch.
const LONGEST_FLIGHT: Duration = Duration::from_secs(120);

/// The longest delay after a failed refresh of a stale value. Shorter than for other values, since a stale
/// value should be replaced soon.
const MAX_STALE_RETRY_DELAY: Duration = Duration::from_secs(10);

/// The shortest delay after a failed refresh. Without it, a value close to its end would be refreshed with
/// every request.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(500);

impl<V: Send + Sync + 'static> Lease<V> {
    /// Creates an empty lease.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwapOption::empty(),
            refresh_not_before: AtomicU64::new(0),
            fetch_started: AtomicU64::new(0),
            ended_fetch_started: AtomicU64::new(0),
            created_at: Instant::now(),
            flight: FlightSlot::new(),
        })
    }

    /// Returns the cached value while it is valid, and the result of `fetch` otherwise.
    ///
    /// Without a valid value, one fetch runs; all concurrent calls wait for it and share its result. With a
    /// valid value the call never waits: it starts a background refresh when one is due. `fetch` is not
    /// called while no fetch is due.
    ///
    /// # Errors
    /// The error of the fetch that this call started or waited for; Unavailable when it panicked or took more than 2
    /// minutes. Never an error while a valid value is cached.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime when a fetch is due.
    ///
    /// # Cancel safety
    /// Cancel safe. A fetch is a task of its own: it continues when the call is dropped, and its result is stored.
    pub async fn get(
        self: &Arc<Self>,
        fetch: impl FnOnce() -> Fetch<V> + Send,
    ) -> Result<Valid<V>, Arc<Error>> {
        self.get_if(|_| true, fetch).await
    }

    /// Returns the cached value while it is valid and `usable`, and the result of `fetch` otherwise.
    ///
    /// The same as [`get`](Self::get), with one more condition on the cached value. A value that is not usable counts as
    /// expired for this call, and stays cached until the fetch succeeds. The result of a fetch is returned without the
    /// condition. `usable` must be quick and must not call the lease.
    ///
    /// # Errors
    /// As [`get`](Self::get). Never an error while a usable valid value is cached.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime when a fetch is due.
    ///
    /// # Cancel safety
    /// Cancel safe, as [`get`](Self::get) is.
    pub async fn get_if(
        self: &Arc<Self>,
        usable: impl Fn(&V) -> bool + Send + Sync,
        fetch: impl FnOnce() -> Fetch<V> + Send,
    ) -> Result<Valid<V>, Arc<Error>> {
        let now = Instant::now();
        if let Some(valid) = self.valid(now).filter(|valid| usable(valid)) {
            if now >= valid.0.refresh_at && self.may_refresh(now) {
                self.refresh(&valid.0, fetch);
            }
            return Ok(valid);
        }
        let cached = || self.valid(Instant::now()).filter(|valid| usable(valid)).map(Ok);
        self.fetched(fetch, |_| cached()).await
    }

    /// Returns a value whose fetch began less than `cooldown` ago, else the result of a fetch.
    ///
    /// Use it when the cached value is valid but lacks something that a newer one may contain, such as a key
    /// with an unknown id. However many calls come, at most one fetch per `cooldown` runs, whether
    /// it succeeds or fails. This protects the source against a flood of requests with invented key ids.
    ///
    /// A fetch that runs already and began earlier is waited for, and then another one is made: its source may have answered
    /// before what the caller has seen.
    ///
    /// A failed fetch does not remove a valid value: this call, and the calls during the cooldown, return it.
    ///
    /// # Errors
    /// The error of the last fetch, when no valid value is cached.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime when a fetch is due.
    ///
    /// # Cancel safety
    /// Cancel safe, as [`get`](Self::get) is. The cooldown counts from the start of the fetch.
    pub async fn newer(
        self: &Arc<Self>,
        cooldown: Duration,
        fetch: impl FnOnce() -> Fetch<V> + Send,
    ) -> Result<Valid<V>, Arc<Error>> {
        let valid = || self.valid(Instant::now());
        let cooldown = u64::try_from(cooldown.as_millis()).unwrap_or(u64::MAX);
        let oldest = self.stamp().saturating_sub(cooldown);
        let is_recent = |moment: &AtomicU64| moment.load(Ordering::Relaxed) > oldest;
        if is_recent(&self.ended_fetch_started)
            && let Some(valid) = valid()
        {
            return Ok(valid);
        }
        // The source may have read its answer before what the caller has seen: not for this call.
        let older = self.flight.lock().join().filter(|_| !is_recent(&self.fetch_started));
        if let Some(mut older) = older {
            older.outcome().await;
        }
        let recent = |failure: Option<&Arc<Error>>| match is_recent(&self.fetch_started) {
            // Neither when the value has expired since: there is nothing to return.
            true => valid().map(Ok).or_else(|| Some(Err(Arc::clone(failure?)))),
            false => None,
        };
        self.fetched(fetch, recent).await.or_else(|error| valid().ok_or(error))
    }

    /// Returns the cached value if it is valid. Never fetches.
    pub fn held(&self) -> Option<Valid<V>> {
        self.valid(Instant::now())
    }

    /// Stores a value that was obtained in another way, valid for `fresh` from now (at most 30 days).
    ///
    /// Replaces the cached value.
    pub fn hold(&self, value: V, fresh: Duration) {
        self.current.store(Some(Arc::new(Entry::fresh(value, fresh))));
    }

    /// Stores a value that may be out of date, because its source is unreachable now.
    ///
    /// Callers get it for at most `longest` from now (at most 30 days). Every call of [`get`](Self::get)
    /// starts a background refresh, at most one at a time and with at most 10 s between two attempts unless
    /// the error asks for a longer wait. The value is removed as soon as
    ///
    /// * a refresh succeeds: the new value replaces it, or
    /// * a refresh fails with another kind than [`Unavailable`](ErrorKind::Unavailable): the source has
    ///   answered, and the value does not exist any more or is denied.
    pub fn hold_for_now(&self, value: V, longest: Duration) {
        self.current.store(Some(Arc::new(Entry::stale(value, longest))));
    }

    /// Removes the cached value and ends the cooldown of [`newer`](Self::newer). The next call fetches.
    ///
    /// A fetch that is in flight ends for the calls that wait for it already; its result is not stored.
    pub fn clear(&self) {
        let mut state = self.flight.lock();
        self.flight.detach(&mut state);
        self.current.store(None);
        for moment in [&self.fetch_started, &self.ended_fetch_started, &self.refresh_not_before] {
            moment.store(0, Ordering::Relaxed);
        }
    }

    /// Waits for the flight that runs, or for a new one. `known` gets the failure of the last flight and returns an answer
    /// that needs no fetch; it is called when no flight runs, under the lock.
    async fn fetched(
        self: &Arc<Self>,
        fetch: impl FnOnce() -> Fetch<V> + Send,
        known: impl Fn(Option<&Arc<Error>>) -> Option<Result<Valid<V>, Arc<Error>>> + Send,
    ) -> Result<Valid<V>, Arc<Error>> {
        let mut fetch = Some(fetch);
        let mut has_joined_orphan = false;
        loop {
            let mut waiter = match self.join(&mut fetch, &known) {
                Ok(waiter) => waiter,
                Err(known) => return known,
            };
            let starter = fetch.is_none().then(|| waiter.starter());
            let outcome = waiter.outcome().await;
            let is_orphan = starter.is_none() && waiter.is_orphan();
            // A call that ends leaves no orphan: those that wait share its result.
            if let Some(starter) = starter {
                starter.end();
            }
            match outcome {
                // The call that started the fetch has given up since, as hosts do when a source is silent. The source may
                // answer by now: this call tries its own fetch once, or joins the next one.
                Some(Err(error))
                    if is_orphan && !has_joined_orphan && error.kind() == ErrorKind::Unavailable =>
                {
                    has_joined_orphan = true;
                }
                Some(outcome) => return outcome.map(|entry| Valid(entry.get().clone())),
                // Another call's fetch ended without a result. This call tries its own, once.
                None => {}
            }
        }
    }

    /// Joins the flight that runs, or starts one.
    ///
    /// # Errors
    /// An answer that needs no flight.
    fn join(
        self: &Arc<Self>,
        fetch: &mut Option<impl FnOnce() -> Fetch<V> + Send>,
        known: impl Fn(Option<&Arc<Error>>) -> Option<Result<Valid<V>, Arc<Error>>>,
    ) -> Result<Waiter<V>, Result<Valid<V>, Arc<Error>>> {
        let state = self.flight.lock();
        if let Some(waiter) = state.join() {
            return Ok(waiter);
        }
        // A flight may have ended since the caller looked.
        if let Some(known) = known(state.failure.as_ref()) {
            return Err(known);
        }
        let Some(fetch) = fetch.take() else {
            return Err(Err(Arc::new(Error::unavailable("a fetch ended without a result"))));
        };
        Ok(self.start(state, fetch, None))
    }

    /// Starts the background refresh of an entry, unless a flight runs.
    fn refresh(self: &Arc<Self>, entry: &Entry<V>, fetch: impl FnOnce() -> Fetch<V> + Send) {
        let state = self.flight.lock();
        // Another refresh may have begun, or ended, since the caller looked.
        if state.join().is_some() || !self.is_current(entry.expires_at) {
            return;
        }
        self.start(state, fetch, Some((entry.expires_at, entry.stale)));
    }

    /// Runs a fetch in a task of its own. `state` has no flight. `refreshed` is the end of the entry that it refreshes in the
    /// background, and whether that is stale.
    fn start(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State<V>>,
        fetch: impl FnOnce() -> Fetch<V> + Send,
        refreshed: Option<(Instant, bool)>,
    ) -> Waiter<V> {
        let (flight, waiter) = self.flight.begin(&mut state);
        self.fetch_started.store(self.stamp(), Ordering::Relaxed);
        drop(state);
        let (lease, fetch) = (Arc::clone(self), fetch());
        tokio::spawn(async move {
            let fetched = tokio::time::timeout(LONGEST_FLIGHT, fetch).await.unwrap_or_else(|_| {
                let seconds = LONGEST_FLIGHT.as_secs();
                Err(Error::unavailable(format!("a fetch did not end within {seconds} s")))
            });
            let outcome =
                fetched.map_err(Arc::new).map(|(value, fresh)| Arc::new(Entry::fresh(value, fresh)));
            flight.end(outcome, |outcome| lease.record(outcome, refreshed));
        });
        waiter
    }

    fn record(&self, outcome: &Outcome<V>, refreshed: Option<(Instant, bool)>) {
        match (outcome, refreshed) {
            (Ok(entry), _) => {
                self.current.store(Some(Arc::clone(entry)));
                self.refresh_not_before.store(0, Ordering::Relaxed);
            }
            (Err(error), Some((expires_at, stale))) => self.defer_refresh(error, expires_at, stale),
            (Err(_), None) => {}
        }
        self.ended_fetch_started.store(self.fetch_started.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Sets the delay after a failed refresh, and removes a stale value after a definite answer of its source.
    fn defer_refresh(&self, error: &Error, expires_at: Instant, stale: bool) {
        let now = Instant::now();
        // About a tenth of the remaining lifetime, with jitter: a source that is down gets few requests,
        // and there are still several attempts before the value expires.
        let tenth = expires_at.saturating_duration_since(now).mul_f64(fastrand::f64().mul_add(0.1, 0.05));
        let tenth = if stale { tenth.min(MAX_STALE_RETRY_DELAY) } else { tenth };
        let retry_after = error.retry_after().unwrap_or_default().min(MAX_LIFETIME);
        let delay = tenth.max(MIN_RETRY_DELAY).max(retry_after);
        if stale && error.kind() != ErrorKind::Unavailable && self.is_current(expires_at) {
            self.current.store(None);
        }
        self.refresh_not_before.store(self.millis(now + delay), Ordering::Relaxed);
    }

    fn may_refresh(&self, now: Instant) -> bool {
        !self.flight.is_busy() && self.millis(now) >= self.refresh_not_before.load(Ordering::Relaxed)
    }

    fn is_current(&self, expires_at: Instant) -> bool {
        self.current.load().as_ref().is_some_and(|current| current.get().expires_at == expires_at)
    }

    /// Returns the present in the form of `fetch_started`.
    fn stamp(&self) -> u64 {
        self.millis(Instant::now()).saturating_add(1)
    }

    fn valid(&self, now: Instant) -> Option<Valid<V>> {
        let current = self.current.load();
        let entry = current.as_ref()?.get();
        (now < entry.expires_at).then(|| Valid(entry.clone()))
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.created_at).as_millis()).unwrap_or(u64::MAX)
    }
}

impl<V> fmt::Debug for Lease<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: it may be a token.
        f.debug_struct("Lease").field("filled", &self.current.load().is_some()).finish_non_exhaustive()
    }
}
