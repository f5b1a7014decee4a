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

/// What a lease is filled with: a value and how long it may be used.
pub type Fetched<V> = Result<(V, Duration), Error>;

/// A future that fills a lease; it may outlive the request that asked for it.
pub type Fetch<V> = Pin<Box<dyn Future<Output = Fetched<V>> + Send>>;

/// A value of somebody else's that expires: a token, a key set, what a reference resolved to.
///
/// * A valid value is handed out at once, without a lock and without an allocation.
/// * It is fetched again ahead of its end, in the background, at a moment that differs from gateway to
///   gateway. A failed refresh takes nothing away.
/// * Without a valid value, however many ask, one fetches and all get its answer.
/// * Failures are not kept: who asks afterwards tries again.
pub struct Lease<V> {
    current: ArcSwapOption<Held<V>>,
    /// How many fetches have ended; lets those who waited for one know that it was theirs.
    ended: AtomicU64,
    /// When the next refresh may start, in milliseconds since `born`; later after one that failed.
    refresh_not_before: AtomicU64,
    /// When the last fetch started and ended, in milliseconds since `born`, plus one; zero before the first.
    attempted: AtomicU64,
    settled: AtomicU64,
    born: Instant,
    flight: Mutex<Option<Arc<Error>>>,
}

#[derive(Debug)]
struct Held<V> {
    value: V,
    refresh_at: Instant,
    until: Instant,
    /// Whether it may be out of date.
    stale: bool,
}

/// A valid value of a lease.
#[derive(Debug)]
pub struct Valid<V>(Arc<Held<V>>);

impl<V> std::ops::Deref for Valid<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.value
    }
}

/// The longest that anything is held, where its owner sets no end.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a failed refresh of what may be out of date is left alone at most.
const STALE_RETRY: Duration = Duration::from_secs(10);

/// How long a failed refresh is left alone at least.
const SHORTEST_RETRY: Duration = Duration::from_millis(500);

impl<V: Send + Sync + 'static> Lease<V> {
    /// A lease that holds nothing.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwapOption::empty(),
            ended: AtomicU64::new(0),
            refresh_not_before: AtomicU64::new(0),
            attempted: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            born: Instant::now(),
            flight: Mutex::new(None),
        })
    }

    /// A valid value: the one held, or what `fetch` brings.
    ///
    /// Cancel safe: when the one that fetches is dropped, the next in line fetches.
    ///
    /// # Errors
    /// What the fetch that this call made, or waited for, said.
    pub async fn get(self: &Arc<Self>, fetch: impl FnOnce() -> Fetch<V>) -> Result<Valid<V>, Arc<Error>> {
        let now = Instant::now();
        if let Some(held) = self.valid(now) {
            if now >= held.refresh_at && self.millis(now) >= self.refresh_not_before.load(Ordering::Relaxed) {
                self.refresh(&held, fetch);
            }
            return Ok(Valid(held));
        }
        let ended = self.ended.load(Ordering::Acquire);
        let mut failure = self.flight.lock().await;
        if let Some(held) = self.valid(Instant::now()) {
            return Ok(Valid(held));
        }
        if self.ended.load(Ordering::Acquire) != ended
            && let Some(error) = &*failure
        {
            return Err(Arc::clone(error));
        }
        let outcome = self.settle(self.attempt(fetch).await);
        *failure = outcome.as_ref().err().cloned();
        outcome.map(Valid)
    }

    /// A valid value that was asked for no longer than `cooldown` ago: the one held, or what `fetch` brings.
    ///
    /// For a value in which something is missing that a newer one may have. However often and by however
    /// many this is called, there is at most one fetch per `cooldown`. A fetch that fails takes nothing away:
    /// the value held is handed out as long as it is valid. Cancel safe, like [`get`](Self::get).
    ///
    /// # Errors
    /// What the last fetch said, when there is no valid value.
    pub async fn newer(
        self: &Arc<Self>,
        cooldown: Duration,
        fetch: impl FnOnce() -> Fetch<V>,
    ) -> Result<Valid<V>, Arc<Error>> {
        if self.within(&self.settled, cooldown)
            && let Some(held) = self.valid(Instant::now())
        {
            return Ok(Valid(held));
        }
        let mut failure = self.flight.lock().await;
        if self.within(&self.attempted, cooldown) {
            match (self.valid(Instant::now()), &*failure) {
                (Some(held), _) => return Ok(Valid(held)),
                (None, Some(error)) => return Err(Arc::clone(error)),
                (None, None) => {}
            }
        }
        let outcome = self.settle(self.attempt(fetch).await);
        *failure = outcome.as_ref().err().cloned();
        outcome.or_else(|error| self.valid(Instant::now()).ok_or(error)).map(Valid)
    }

    /// The valid value that is held, if there is one. Asks nobody.
    pub fn held(&self) -> Option<Valid<V>> {
        self.valid(Instant::now()).map(Valid)
    }

    /// Holds a value that came another way, for `fresh` from now; one that is held already is replaced.
    pub fn hold(&self, value: V, fresh: Duration) {
        self.current.store(Some(held(value, fresh)));
    }

    /// Holds a value that may be out of date, because what it is of cannot be asked. It is handed out for at most
    /// `longest`; the next who asks has it fetched again in the background, and so on until that brings a newer one, or
    /// the word that there is none: then it is let go of.
    pub fn hold_for_now(&self, value: V, longest: Duration) {
        let now = Instant::now();
        let until = now + longest.min(LONGEST);
        self.current.store(Some(Arc::new(Held { value, refresh_at: now, until, stale: true })));
    }

    /// Lets go of what is held: the next who asks fetches.
    pub fn clear(&self) {
        self.current.store(None);
        self.attempted.store(0, Ordering::Relaxed);
        self.settled.store(0, Ordering::Relaxed);
    }

    fn attempt(&self, fetch: impl FnOnce() -> Fetch<V>) -> Fetch<V> {
        self.stamp(&self.attempted);
        fetch()
    }

    fn stamp(&self, moment: &AtomicU64) {
        moment.store(self.millis(Instant::now()).saturating_add(1), Ordering::Relaxed);
    }

    fn within(&self, moment: &AtomicU64, time: Duration) -> bool {
        let limit = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match moment.load(Ordering::Relaxed) {
            0 => false,
            at => self.millis(Instant::now()).saturating_add(1).saturating_sub(at) < limit,
        }
    }

    fn valid(&self, now: Instant) -> Option<Arc<Held<V>>> {
        self.current.load().as_ref().filter(|held| now < held.until).cloned()
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    fn refresh(self: &Arc<Self>, held: &Held<V>, fetch: impl FnOnce() -> Fetch<V>) {
        let lease = Arc::clone(self);
        let (until, stale) = (held.until, held.stale);
        // Somebody else is at it already when the lock is taken.
        if self.flight.try_lock().is_err() {
            return;
        }
        let fetch = self.attempt(fetch);
        tokio::spawn(async move {
            let Ok(mut failure) = lease.flight.try_lock() else { return };
            // Somebody else may have been here between the look and the lock.
            if lease.current.load().as_ref().is_some_and(|now| now.until != until) {
                return;
            }
            let outcome = lease.settle(fetch.await);
            *failure = outcome.err();
            if let Some(error) = &*failure {
                // A tenth of what is left, spread, so that a source that is down is not asked per request.
                let now = Instant::now();
                let tenth = until.saturating_duration_since(now).mul_f64(fastrand::f64().mul_add(0.1, 0.05));
                let asked = error.retry_after().unwrap_or_default().min(LONGEST);
                let tenth = if stale { tenth.min(STALE_RETRY) } else { tenth };
                let wait = tenth.max(SHORTEST_RETRY).max(asked);
                if stale && error.kind() != ErrorKind::Unavailable {
                    lease.current.store(None);
                }
                lease.refresh_not_before.store(lease.millis(now + wait), Ordering::Relaxed);
            }
        });
    }

    fn settle(&self, fetched: Fetched<V>) -> Result<Arc<Held<V>>, Arc<Error>> {
        let outcome = fetched.map_err(Arc::new).map(|(value, fresh)| {
            let held = held(value, fresh);
            self.current.store(Some(Arc::clone(&held)));
            held
        });
        self.stamp(&self.settled);
        self.ended.fetch_add(1, Ordering::AcqRel);
        outcome
    }
}

fn held<V>(value: V, fresh: Duration) -> Arc<Held<V>> {
    let fresh = fresh.min(LONGEST);
    let now = Instant::now();
    // Somewhere in the third quarter of its time, so that gateways do not ask all at once.
    let share = fastrand::f64().mul_add(0.25, 0.5);
    Arc::new(Held { value, refresh_at: now + fresh.mul_f64(share), until: now + fresh, stale: false })
}

impl<V> fmt::Debug for Lease<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("filled", &self.current.load().is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Upstream {
        asked: AtomicUsize,
        down: std::sync::atomic::AtomicBool,
    }

    impl Upstream {
        fn fetch(self: &Arc<Self>, fresh: u64) -> Fetch<usize> {
            let upstream = Arc::clone(self);
            Box::pin(async move {
                let n = upstream.asked.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
                match upstream.down.load(Ordering::SeqCst) {
                    true => Err(Error::unavailable("down")),
                    false => Ok((n, Duration::from_secs(fresh))),
                }
            })
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_that_ask_for_a_cold_value_make_one_fetch() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        let asking: Vec<_> = (0..10_000)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { lease.get(|| upstream.fetch(60)).await.map(|v| *v) })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap().unwrap(), 1);
        }
        assert_eq!(upstream.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_those_who_waited_and_not_kept() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        upstream.down.store(true, Ordering::SeqCst);
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { lease.get(|| upstream.fetch(60)).await.is_err() })
            })
            .collect();
        for one in asking {
            assert!(one.await.unwrap());
        }
        assert_eq!(upstream.asked(), 1);
        upstream.down.store(false, Ordering::SeqCst);
        assert!(lease.get(|| upstream.fetch(60)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_valid_value_never_waits_and_a_failed_refresh_takes_nothing_away() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        lease.get(|| upstream.fetch(100)).await.unwrap();
        upstream.down.store(true, Ordering::SeqCst);
        tokio::time::advance(Duration::from_secs(80)).await;
        let before = Instant::now();
        assert_eq!(*lease.get(|| upstream.fetch(100)).await.unwrap(), 1);
        assert_eq!(Instant::now(), before);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(upstream.asked(), 2);
        for _ in 0..1_000 {
            assert_eq!(*lease.get(|| upstream.fetch(100)).await.unwrap(), 1);
        }
        assert_eq!(upstream.asked(), 2, "a source that is down is not asked again at once");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(lease.get(|| upstream.fetch(100)).await.is_err(), "an expired value is not handed out");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_out_of_date_is_handed_out_at_once_and_asked_for_until_there_is_something_newer() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        upstream.down.store(true, Ordering::SeqCst);
        lease.hold_for_now(7, Duration::from_secs(86_400));
        for _ in 0..100 {
            let before = Instant::now();
            assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 7);
            assert_eq!(Instant::now(), before);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!((8..=60).contains(&upstream.asked()), "{}", upstream.asked());
        // So that none is under way when it is well again.
        tokio::time::sleep(Duration::from_secs(2)).await;
        upstream.down.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 7);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), upstream.asked());
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_out_of_date_is_let_go_of_when_there_is_no_such_thing_any_more() {
        let lease = Lease::new();
        lease.hold_for_now(7, Duration::from_secs(86_400));
        let gone = || -> Fetch<usize> { Box::pin(async { Err(Error::not_found("gone")) }) };
        assert_eq!(*lease.get(gone).await.unwrap(), 7);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(lease.get(gone).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_one_that_fetches_goes_away_the_next_fetches() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        let first = tokio::time::timeout(Duration::from_millis(10), lease.get(|| upstream.fetch(60))).await;
        assert!(first.is_err());
        assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn asking_for_something_newer_fetches_once_per_cooldown_whatever_comes_of_it() {
        let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
        let cooldown = Duration::from_secs(30);
        assert_eq!(*lease.get(|| upstream.fetch(1_000)).await.unwrap(), 1);
        for _ in 0..1_000 {
            assert_eq!(*lease.newer(cooldown, || upstream.fetch(1_000)).await.unwrap(), 1);
        }
        tokio::time::advance(cooldown).await;
        let asking: Vec<_> = (0..1_000)
            .map(|_| {
                let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
                tokio::spawn(async move { *lease.newer(cooldown, || upstream.fetch(1_000)).await.unwrap() })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), 2);
        }
        upstream.down.store(true, Ordering::SeqCst);
        tokio::time::advance(cooldown).await;
        for _ in 0..1_000 {
            assert_eq!(*lease.newer(cooldown, || upstream.fetch(1_000)).await.unwrap(), 2);
        }
        assert_eq!(upstream.asked(), 3);
        tokio::time::advance(Duration::from_secs(2_000)).await;
        for _ in 0..1_000 {
            assert!(lease.newer(cooldown, || upstream.fetch(1_000)).await.is_err());
        }
        assert_eq!(upstream.asked(), 4);
    }
}
