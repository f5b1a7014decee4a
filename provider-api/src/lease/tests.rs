//! Tests of the lease, on the paused clock.

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

/// A call that joined the fetch of a call that gave up tries once more when it fails: the source may answer by now.
#[tokio::test(start_paused = true)]
async fn a_fetch_of_an_earlier_call_fails_for_that_call_only() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    upstream.down.store(true, Ordering::SeqCst);
    assert!(tokio::time::timeout(Duration::from_millis(10), lease.get(|| upstream.fetch(60))).await.is_err());
    let joined = lease.get(|| upstream.fetch(60));
    let recovery = async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        upstream.down.store(false, Ordering::SeqCst);
    };
    assert_eq!(*tokio::join!(joined, recovery).0.unwrap(), 2);
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

/// 20 clients give up just before the source answers. Each would start the fetch anew if it ended with its caller.
#[tokio::test(start_paused = true)]
async fn a_fetch_outlives_its_callers() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    for _ in 0..20 {
        let call = tokio::time::timeout(Duration::from_millis(45), lease.get(|| upstream.fetch(60)));
        assert!(call.await.is_err(), "the client gives up");
    }
    let before = Instant::now();
    assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 1);
    assert_eq!(before.elapsed(), Duration::from_millis(100), "what is left of the one fetch");
    assert_eq!(upstream.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_fetch_is_stored() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let call = tokio::time::timeout(Duration::from_millis(10), lease.get(|| upstream.fetch(60)));
    assert!(call.await.is_err());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lease.held().as_deref(), Some(&1));
    assert_eq!(*lease.newer(Duration::from_secs(30), || upstream.fetch(60)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_for_no_time_goes_to_all_waiters() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let [one, other] = [(); 2].map(|()| lease.get(|| upstream.fetch(0)));
    let (one, other) = tokio::join!(one, other);
    assert_eq!((*one.unwrap(), *other.unwrap()), (1, 1));
    assert!(lease.held().is_none());
    assert_eq!(*lease.get(|| upstream.fetch(0)).await.unwrap(), 2);
}

/// A provider without deadlines must not close the lease for good.
#[tokio::test(start_paused = true)]
async fn a_fetch_without_end_is_unavailable() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let never = || -> Fetch<usize> { Box::pin(std::future::pending()) };
    let error = lease.get(never).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(*lease.get(|| upstream.fetch(60)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_fetch_fails_its_callers_only() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let panics = || -> Fetch<usize> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            panic!("a faulty provider")
        })
    };
    assert_eq!(lease.get(panics).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (_, other) = tokio::join!(lease.get(panics), lease.get(|| upstream.fetch(60)));
    assert_eq!(*other.unwrap(), 1, "the one that joined the flight starts its own");
    assert_eq!(*lease.get(panics).await.unwrap(), 1);
}

#[test]
fn a_fetch_ends_with_its_runtime() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = runtime();
    first.block_on(async {
        let call = tokio::time::timeout(Duration::from_millis(10), lease.get(|| upstream.fetch(60)));
        assert!(call.await.is_err());
    });
    drop(first);
    assert_eq!(*runtime().block_on(lease.get(|| upstream.fetch(60))).unwrap(), 2);
}

/// A cleared value must not come back with a fetch that began before.
#[tokio::test(start_paused = true)]
async fn clear_forgets_the_flight() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let fetching = {
        let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
        tokio::spawn(async move { *lease.get(|| upstream.fetch(60)).await.unwrap() })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    lease.clear();
    let next = lease.get(|| upstream.fetch(60));
    let (fetching, next) = tokio::join!(fetching, next);
    assert_eq!((fetching.unwrap(), *next.unwrap()), (1, 2));
    assert_eq!(lease.held().as_deref(), Some(&2), "the earlier fetch is not stored");
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

/// A fetch that began before the cooldown is not shared: its answer may be older than what the caller has seen.
#[tokio::test(start_paused = true)]
async fn newer_shares_no_fetch_that_began_before_its_cooldown() {
    let (lease, upstream) = (Lease::new(), Arc::new(Upstream::default()));
    let first = {
        let (lease, upstream) = (Arc::clone(&lease), Arc::clone(&upstream));
        tokio::spawn(async move { *lease.get(|| upstream.fetch(1_000)).await.unwrap() })
    };
    // The fetch takes one second.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let since = Duration::from_millis(100);
    let (a, b) = tokio::join!(
        lease.newer(since, || upstream.fetch(1_000)),
        lease.newer(since, || upstream.fetch(1_000)),
    );
    assert_eq!((first.await.unwrap(), *a.unwrap(), *b.unwrap()), (1, 2, 2));
    // One that has ended counts by its begin, too.
    let since = Duration::from_millis(900);
    assert_eq!(*lease.newer(since, || upstream.fetch(1_000)).await.unwrap(), 3);
    let since = Duration::from_millis(1_100);
    assert_eq!(*lease.newer(since, || upstream.fetch(1_000)).await.unwrap(), 3);
    assert_eq!(upstream.requests(), 3);
}
