//! The lease: a cached value that expires, with at most one fetch in flight.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{Error, ErrorKind};

/// The result of a fetch: a value and the time for which it is valid, counted from the end of the fetch.
///
/// A lease caps that time at 30 days. A value with a time of zero goes only to the call that fetched it.
pub type Fetched<V> = Result<(V, Duration), Error>;

/// A future that fetches a value for a lease.
///
/// The future is `'static`: a background refresh outlives the call that started it.
pub type Fetch<V> = Pin<Box<dyn Future<Output = Fetched<V>> + Send>>;

/// A cache for one remote value that expires: a token, a key set, a resolved reference.
///
/// * **Valid values are returned at once**, without a lock and without an allocation.
/// * **Refresh ahead of expiry.** Between 50 % and 75 % of the lifetime of a value, the next call starts a
///   fetch in the background. The exact moment is random, so that gateways that started together do not send
///   their requests together. A failed refresh does not remove the valid value. The lease waits before it
///   tries again: 5 % to 15 % of the remaining lifetime, at least 500 ms, and at least the
///   [`retry_after`](Error::retry_after) of the error.
/// * **Single flight.** At most one fetch runs at a time. All callers that wait for it get its result.
/// * **Errors are not cached.** A call after a failed fetch starts a new one. [`newer`](Self::newer) is the
///   exception: its cooldown applies to failed fetches as well.
///
/// All times are on tokio's clock: a step of the wall clock neither expires nor prolongs a value. That clock can stand still
/// while the machine is suspended, so a value with an end on the wall clock is checked against it with
/// [`get_if`](Self::get_if).
/// Dropping the lease does not stop a background refresh; its result is then discarded.
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
    current: ArcSwapOption<Entry<V>>,
    /// The number of fetches that have ended. A caller compares it before and after it waited for the lock,
    /// to tell whether the stored error is the result of the fetch it waited for.
    fetches_ended: AtomicU64,
    /// The earliest moment of the next background refresh, in milliseconds since `created_at`. Later than
    /// now only after a refresh that failed.
    refresh_not_before: AtomicU64,
    /// The start of the last fetch, in milliseconds since `created_at` plus one; zero before the first.
    fetch_started: AtomicU64,
    /// The end of the last fetch, in the same form.
    fetch_ended: AtomicU64,
    /// The origin of the moments above: an `Instant` does not fit into an atomic.
    created_at: Instant,
    /// Held by the one call that fetches. Its content is the error of the last fetch, if that failed.
    flight: Mutex<Option<Arc<Error>>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    refresh_at: Instant,
    expires_at: Instant,
    /// True for a value that may be out of date, see [`Lease::hold_for_now`].
    stale: bool,
}

/// A value of a lease that was valid when the call returned it.
///
/// Dereferences to the value, and keeps it alive when the lease replaces it.
#[derive(Debug)]
pub struct Valid<V>(Arc<Entry<V>>);

impl<V> std::ops::Deref for Valid<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.value
    }
}

/// The upper limit of every lifetime and every delay. Also keeps `Instant + Duration` from overflowing on a
/// value that a control plane sent.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

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
            fetches_ended: AtomicU64::new(0),
            refresh_not_before: AtomicU64::new(0),
            fetch_started: AtomicU64::new(0),
            fetch_ended: AtomicU64::new(0),
            created_at: Instant::now(),
            flight: Mutex::new(None),
        })
    }

    /// Returns the cached value while it is valid, and the result of `fetch` otherwise.
    ///
    /// Without a valid value, one call fetches; concurrent calls wait for it and share its result. With a
    /// valid value the call never waits: it starts a background refresh when one is due. `fetch` is not
    /// called while no fetch is due.
    ///
    /// The lease has no deadline of its own. Put one on the I/O inside `fetch`.
    ///
    /// # Errors
    /// The error of the fetch that this call made or waited for. Never an error while a valid value is
    /// cached.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime when a background refresh is due.
    ///
    /// # Cancel safety
    /// Cancel safe. Dropping the call that fetches drops its fetch, and the next waiting call fetches. A
    /// background refresh is a task of its own and continues.
    pub async fn get(self: &Arc<Self>, fetch: impl FnOnce() -> Fetch<V>) -> Result<Valid<V>, Arc<Error>> {
        self.get_if(|_| true, fetch).await
    }

    /// Returns the cached value while it is valid and `usable`, and the result of `fetch` otherwise.
    ///
    /// The same as [`get`](Self::get), with one more condition on the cached value. A value that is not usable counts as
    /// expired for this call, and stays cached until the fetch succeeds. The result of a fetch is returned without the
    /// condition.
    ///
    /// # Errors
    /// The error of the fetch that this call made or waited for. Never an error while a usable valid value is cached.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime when a background refresh is due.
    ///
    /// # Cancel safety
    /// Cancel safe, as [`get`](Self::get) is.
    pub async fn get_if(
        self: &Arc<Self>,
        usable: impl Fn(&V) -> bool,
        fetch: impl FnOnce() -> Fetch<V>,
    ) -> Result<Valid<V>, Arc<Error>> {
        let now = Instant::now();
        if let Some(entry) = self.valid(now).filter(|entry| usable(&entry.value)) {
            if now >= entry.refresh_at && self.millis(now) >= self.refresh_not_before.load(Ordering::Relaxed)
            {
                self.refresh(&entry, fetch);
            }
            return Ok(Valid(entry));
        }
        let ended = self.fetches_ended.load(Ordering::Acquire);
        let mut failure = self.flight.lock().await;
        // The call that had the lock may have fetched: check again before fetching.
        if let Some(entry) = self.valid(Instant::now()).filter(|entry| usable(&entry.value)) {
            return Ok(Valid(entry));
        }
        if self.fetches_ended.load(Ordering::Acquire) != ended
            && let Some(error) = &*failure
        {
            return Err(Arc::clone(error));
        }
        let outcome = self.finish(self.start(fetch).await);
        *failure = outcome.as_ref().err().cloned();
        outcome.map(Valid)
    }

    /// Returns a value that was fetched less than `cooldown` ago, else the result of `fetch`.
    ///
    /// Use it when the cached value is valid but lacks something that a newer one may contain, such as a key
    /// with an unknown id. However many calls come, at most one fetch per `cooldown` runs to its end, whether
    /// it succeeds or fails. This protects the source against a flood of requests with invented key ids.
    ///
    /// A failed fetch does not remove a valid value: this call, and the calls during the cooldown, return it.
    ///
    /// # Errors
    /// The error of the last fetch, when no valid value is cached.
    ///
    /// # Cancel safety
    /// Cancel safe. Dropping the call that fetches drops its fetch; the cooldown counts from its start.
    pub async fn newer(
        self: &Arc<Self>,
        cooldown: Duration,
        fetch: impl FnOnce() -> Fetch<V>,
    ) -> Result<Valid<V>, Arc<Error>> {
        if self.is_within(&self.fetch_ended, cooldown)
            && let Some(entry) = self.valid(Instant::now())
        {
            return Ok(Valid(entry));
        }
        let mut failure = self.flight.lock().await;
        if self.is_within(&self.fetch_started, cooldown) {
            match (self.valid(Instant::now()), &*failure) {
                (Some(entry), _) => return Ok(Valid(entry)),
                (None, Some(error)) => return Err(Arc::clone(error)),
                // The last fetch was cancelled, or its value has expired: there is nothing to return.
                (None, None) => {}
            }
        }
        let outcome = self.finish(self.start(fetch).await);
        *failure = outcome.as_ref().err().cloned();
        outcome.or_else(|error| self.valid(Instant::now()).ok_or(error)).map(Valid)
    }

    /// Returns the cached value if it is valid. Never fetches.
    pub fn held(&self) -> Option<Valid<V>> {
        self.valid(Instant::now()).map(Valid)
    }

    /// Stores a value that was obtained in another way, valid for `fresh` from now (at most 30 days).
    ///
    /// Replaces the cached value.
    pub fn hold(&self, value: V, fresh: Duration) {
        self.current.store(Some(new_entry(value, fresh)));
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
        let now = Instant::now();
        let expires_at = now + longest.min(MAX_LIFETIME);
        self.current.store(Some(Arc::new(Entry { value, refresh_at: now, expires_at, stale: true })));
    }

    /// Removes the cached value and ends the cooldown of [`newer`](Self::newer). The next call fetches.
    ///
    /// A fetch that is in flight is not cancelled; its result is stored when it ends.
    pub fn clear(&self) {
        self.current.store(None);
        self.fetch_started.store(0, Ordering::Relaxed);
        self.fetch_ended.store(0, Ordering::Relaxed);
    }

    fn start(&self, fetch: impl FnOnce() -> Fetch<V>) -> Fetch<V> {
        self.stamp(&self.fetch_started);
        fetch()
    }

    fn stamp(&self, moment: &AtomicU64) {
        moment.store(self.millis(Instant::now()).saturating_add(1), Ordering::Relaxed);
    }

    fn is_within(&self, moment: &AtomicU64, time: Duration) -> bool {
        let limit = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match moment.load(Ordering::Relaxed) {
            0 => false,
            at => self.millis(Instant::now()).saturating_add(1).saturating_sub(at) < limit,
        }
    }

    fn valid(&self, now: Instant) -> Option<Arc<Entry<V>>> {
        self.current.load().as_ref().filter(|entry| now < entry.expires_at).cloned()
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.created_at).as_millis()).unwrap_or(u64::MAX)
    }

    fn refresh(self: &Arc<Self>, entry: &Entry<V>, fetch: impl FnOnce() -> Fetch<V>) {
        let lease = Arc::clone(self);
        let (expires_at, stale) = (entry.expires_at, entry.stale);
        // A locked flight means that a fetch is running. Without this check, every request during a slow
        // refresh would spawn a task.
        if self.flight.try_lock().is_err() {
            return;
        }
        let fetch = self.start(fetch);
        tokio::spawn(async move {
            let Ok(mut failure) = lease.flight.try_lock() else { return };
            // Another refresh may have ended between the check above and this lock.
            if lease.current.load().as_ref().is_some_and(|now| now.expires_at != expires_at) {
                return;
            }
            let outcome = lease.finish(fetch.await);
            *failure = outcome.err();
            if let Some(error) = &*failure {
                lease.defer_refresh(error, expires_at, stale);
            }
        });
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
        if stale && error.kind() != ErrorKind::Unavailable {
            self.current.store(None);
        }
        self.refresh_not_before.store(self.millis(now + delay), Ordering::Relaxed);
    }

    fn finish(&self, fetched: Fetched<V>) -> Result<Arc<Entry<V>>, Arc<Error>> {
        let outcome = fetched.map_err(Arc::new).map(|(value, fresh)| {
            let entry = new_entry(value, fresh);
            self.current.store(Some(Arc::clone(&entry)));
            entry
        });
        self.stamp(&self.fetch_ended);
        self.fetches_ended.fetch_add(1, Ordering::AcqRel);
        outcome
    }
}

fn new_entry<V>(value: V, fresh: Duration) -> Arc<Entry<V>> {
    let fresh = fresh.min(MAX_LIFETIME);
    let now = Instant::now();
    // In the third quarter of the lifetime: late enough to use the value, early enough for retries. Random,
    // so that gateways that fetched together do not refresh together.
    let share = fastrand::f64().mul_add(0.25, 0.5);
    Arc::new(Entry { value, refresh_at: now + fresh.mul_f64(share), expires_at: now + fresh, stale: false })
}

impl<V> fmt::Debug for Lease<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the value: it may be a token.
        f.debug_struct("Lease").field("filled", &self.current.load().is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Upstream {
        requests: AtomicUsize,
        down: std::sync::atomic::AtomicBool,
    }

    impl Upstream {
        fn fetch(self: &Arc<Self>, fresh: u64) -> Fetch<usize> {
            let upstream = Arc::clone(self);
            Box::pin(async move {
                let n = upstream.requests.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                match upstream.down.load(Ordering::SeqCst) {
                    true => Err(Error::unavailable("down")),
                    false => Ok((n, Duration::from_secs(fresh))),
                }
            })
        }

        fn requests(&self) -> usize {
            self.requests.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_calls_share_one_fetch() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        let calls: Vec<_> = (0..10_000)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { lease.get(|| upstream.fetch(60)).await.map(|v| *v) })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), 1);
        }
        assert_eq!(upstream.requests(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_unusable_value_is_fetched_once() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 1);
        let calls: Vec<_> = (0..1_000)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { *lease.get_if(|n| *n > 1, || upstream.fetch(60)).await.unwrap() })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), 2);
        }
        assert_eq!(upstream.requests(), 2);
        upstream.down.store(true, Ordering::SeqCst);
        assert!(lease.get_if(|_| false, || upstream.fetch(60)).await.is_err());
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 2, "a failed fetch removes nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_shared_but_not_cached() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        upstream.down.store(true, Ordering::SeqCst);
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { lease.get(|| upstream.fetch(60)).await.is_err() })
            })
            .collect();
        for call in calls {
            assert!(call.await.unwrap());
        }
        assert_eq!(upstream.requests(), 1);
        upstream.down.store(false, Ordering::SeqCst);
        assert!(lease.get(|| upstream.fetch(60)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_refresh_keeps_the_valid_value() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        lease.get(|| upstream.fetch(100)).await.unwrap();
        upstream.down.store(true, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(80)).await;
        let before = Instant::now();
        assert_eq!(*lease.get(|| upstream.fetch(100)).await.unwrap(), 1);
        assert_eq!(Instant::now(), before);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(upstream.requests(), 2);
        for _ in 0..1_000 {
            assert_eq!(*lease.get(|| upstream.fetch(100)).await.unwrap(), 1);
        }
        assert_eq!(upstream.requests(), 2, "a failed refresh is not repeated at once");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(lease.get(|| upstream.fetch(100)).await.is_err(), "an expired value is not returned");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_value_is_refreshed() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        upstream.down.store(true, Ordering::SeqCst);
        lease.hold_for_now(7, Duration::from_secs(86_400));
        for _ in 0..100 {
            let before = Instant::now();
            assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 7);
            assert_eq!(Instant::now(), before);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!((8..=60).contains(&upstream.requests()), "{}", upstream.requests());
        // Let the running refresh end before the upstream recovers.
        tokio::time::sleep(Duration::from_secs(2)).await;
        upstream.down.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 7);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), upstream.requests());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_value_is_removed_on_not_found() {
        let lease = Lease::new();
        lease.hold_for_now(7, Duration::from_secs(86_400));
        let gone = || -> Fetch<usize> { Box::pin(async { Err(Error::not_found("gone")) }) };
        assert_eq!(*lease.get(gone).await.unwrap(), 7);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(lease.get(gone).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_cancelled_fetch_the_next_fetches() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        let first = tokio::time::timeout(Duration::from_millis(10), lease.get(|| upstream.fetch(60))).await;
        assert!(first.is_err());
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn newer_fetches_once_per_cooldown() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        let cooldown = Duration::from_secs(30);
        assert_eq!(*lease.get(|| upstream.fetch(1_000)).await.unwrap(), 1);
        for _ in 0..1_000 {
            assert_eq!(*lease.newer(cooldown, || upstream.fetch(1_000)).await.unwrap(), 1);
        }
        tokio::time::advance(cooldown).await;
        let calls: Vec<_> = (0..1_000)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { *lease.newer(cooldown, || upstream.fetch(1_000)).await.unwrap() })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), 2);
        }
        upstream.down.store(true, Ordering::SeqCst);
        tokio::time::advance(cooldown).await;
        for _ in 0..1_000 {
            assert_eq!(*lease.newer(cooldown, || upstream.fetch(1_000)).await.unwrap(), 2);
        }
        assert_eq!(upstream.requests(), 3);
        tokio::time::advance(Duration::from_secs(2_000)).await;
        for _ in 0..1_000 {
            assert!(lease.newer(cooldown, || upstream.fetch(1_000)).await.is_err());
        }
        assert_eq!(upstream.requests(), 4);
    }
}
