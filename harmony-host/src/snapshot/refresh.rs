//! Resolving references again after a change of the configuration.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::plan::Target;
use crate::snapshot::feed::Snapshots;

/// The time between two calls: at most ten a second, whatever changes.
const SPACING: Duration = Duration::from_millis(100);

/// The longest delay of the first call. Many gateways may get the same change at the same moment.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// Asks the primary provider again for each cached reference after a new configuration was published: a cached reference
/// ends with a change, but no request waits for the new answer. At most one call per reference and change, in the
/// background. A reference that was resolved after the change is not asked for. Returns when the feed ends.
pub(crate) async fn resolve_again(mut feed: Snapshots) {
    // The first snapshot follows no other.
    let Some(mut snapshot) = feed.next().await else { return };
    let mut changed = Instant::now();
    let mut queue = Queue::<Target>::new();
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            published = feed.next() => {
                let Some(published) = published else { return };
                snapshot = published;
                changed = Instant::now();
                queue.replace(snapshot.plans.remote_targets().filter(|target| target.is_held()).collect());
            }
            target = queue.next() => {
                let providers = snapshot.providers.clone();
                calls.spawn(async move { target.resolve_again(&providers, changed).await });
            }
            Some(_) = calls.join_next(), if !calls.is_empty() => {}
        }
    }
}

/// The items that wait for their call.
struct Queue<T> {
    waiting: VecDeque<Arc<T>>,
    /// The earliest moment of the next call.
    next: Instant,
}

impl<T: Send + Sync> Queue<T> {
    fn new() -> Self {
        Self { waiting: VecDeque::new(), next: Instant::now() }
    }

    /// Replaces the items. Those that wait already stay in front, so that frequent changes keep none of them waiting.
    fn replace(&mut self, items: Vec<Arc<T>>) {
        let present: HashSet<_> = items.iter().map(Arc::as_ptr).collect();
        self.waiting.retain(|item| present.contains(&Arc::as_ptr(item)));
        let first: HashSet<_> = self.waiting.iter().map(Arc::as_ptr).collect();
        let others: Vec<_> = items.into_iter().filter(|item| !first.contains(&Arc::as_ptr(item))).collect();
        if self.waiting.is_empty() {
            self.next = self.next.max(Instant::now() + MAX_DELAY.mul_f64(fastrand::f64()));
        }
        self.waiting.extend(others);
    }

    /// Waits for the turn of the next item; forever without one. Cancel safe.
    async fn next(&mut self) -> Arc<T> {
        if self.waiting.is_empty() {
            std::future::pending::<()>().await;
        }
        sleep_until(self.next).await;
        self.next = Instant::now() + SPACING;
        match self.waiting.pop_front() {
            Some(item) => item,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_ten_a_second() {
        let items: Vec<_> = (0..25).map(Arc::new).collect();
        let mut queue = Queue::new();
        queue.replace(items.clone());
        let start = Instant::now();
        let mut called = Vec::new();
        for _ in 0..25 {
            called.push(*queue.next().await);
        }
        assert_eq!(called, (0..25).collect::<Vec<_>>());
        assert!(start.elapsed() >= 24 * SPACING && start.elapsed() <= 24 * SPACING + MAX_DELAY);
        queue.replace(items[..1].to_vec());
        let again = Instant::now();
        queue.next().await;
        assert!(again.elapsed() >= SPACING, "another change is no exception");
    }

    /// A change in each second must not keep the last references waiting.
    #[tokio::test(start_paused = true)]
    async fn waiting_items_stay_in_front() {
        let items: Vec<_> = (0..5).map(Arc::new).collect();
        let mut queue = Queue::new();
        queue.replace(items.clone());
        assert_eq!((*queue.next().await, *queue.next().await), (0, 1));
        queue.replace(items[..4].to_vec());
        let mut called = Vec::new();
        for _ in 0..4 {
            called.push(*queue.next().await);
        }
        assert_eq!(called, [2, 3, 0, 1], "4 is gone");
    }
}
