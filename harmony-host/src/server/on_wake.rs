//! A future that is polled only after it was woken, beside others of its task that are polled far more often.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled once, and then only after it was woken. Each poll of its task costs it one look at a flag.
#[derive(Debug)]
pub(super) struct OnWake<F> {
    future: F,
    bell: Arc<Bell>,
    /// The waker that is given to the future.
    waker: Waker,
    /// The waker of the task that the bell wakes.
    task: Option<Waker>,
}

#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    /// The waker of the task. A wake leaves it here: the task renews it only when it changes.
    task: Mutex<Option<Waker>>,
}

impl Bell {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future + Unpin> OnWake<F> {
    pub(super) fn new(future: F) -> Self {
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(true), task: Mutex::default() });
        Self { future, waker: Waker::from(Arc::clone(&bell)), bell, task: None }
    }
}

impl<F: Future + Unpin> Future for OnWake<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *this.bell.task() = Some(cx.waker().clone());
            this.task = Some(cx.waker().clone());
        }
        if !this.bell.has_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        Pin::new(&mut this.future).poll(&mut Context::from_waker(&this.waker))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    /// The task is polled many times; the future in it twice.
    #[tokio::test(start_paused = true)]
    async fn a_future_is_polled_when_it_was_woken() {
        let (polls, woken) = (AtomicUsize::new(0), Notify::new());
        let mut waiting = std::pin::pin!(woken.notified());
        let mut on_wake = OnWake::new(std::future::poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            waiting.as_mut().poll(cx)
        }));
        for _ in 0..10 {
            tokio::select! {
                biased;
                () = &mut on_wake => panic!("nothing has woken it"),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
        woken.notify_one();
        on_wake.await;
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    /// Each wake reaches the task, not only the first one.
    #[tokio::test(start_paused = true)]
    async fn a_future_is_woken_again_and_again() {
        let woken = Arc::new(Notify::new());
        let of_future = Arc::clone(&woken);
        let task = tokio::spawn(OnWake::new(Box::pin(async move {
            for _ in 0..3 {
                of_future.notified().await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })));
        for _ in 0..3 {
            woken.notify_one();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::timeout(Duration::from_secs(1), task).await.expect("all wakes").unwrap();
    }

    /// A wake from another task reaches the task that polls it now, not the one that polled it first.
    #[tokio::test(start_paused = true)]
    async fn a_future_may_move_to_another_task() {
        let woken = Arc::new(Notify::new());
        let of_future = Arc::clone(&woken);
        let mut on_wake = OnWake::new(Box::pin(async move { of_future.notified().await }));
        let first = tokio::time::timeout(Duration::from_millis(1), &mut on_wake).await;
        assert!(first.is_err());
        let second = tokio::spawn(on_wake);
        tokio::task::yield_now().await;
        woken.notify_one();
        second.await.unwrap();
    }
}
