//! The runner of the application's steps: each has a deadline, and panics are caught.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use provider_api::RejectionClass;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::apply::{Activation, Prepared, Pulse};
use crate::diagnostics::rejection::Rejection;
use crate::snapshot::Snapshot;

/// The time beyond its deadline in which a step must notice the deadline. A step that takes longer blocks its thread.
const GRACE: Duration = Duration::from_secs(1);

/// The runner of the application's steps.
pub(crate) struct Activator {
    activation: Arc<dyn Activation>,
    deadline: Duration,
    pub(super) pulse: Pulse,
    /// A step that blocks its thread. No other configuration is prepared or activated before it has returned.
    blocked: Option<(&'static str, JoinHandle<()>)>,
}

/// The reason for which a step did not finish.
enum Unfinished {
    Panicked,
    TimedOut,
    Blocked,
}

impl Activator {
    pub(crate) fn new(activation: Arc<dyn Activation>, deadline: Duration, pulse: Pulse) -> Self {
        Self { activation, deadline, pulse, blocked: None }
    }

    /// Prepares `candidate`.
    ///
    /// # Errors
    /// The problems that the application reports, or its panic or missed deadline.
    pub(crate) async fn prepare(
        &mut self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        self.wait_for_blocked().await?;
        let activation = Arc::clone(&self.activation);
        let (own, serving) = (Arc::clone(candidate), serving.cloned());
        let work = async move { activation.prepare(&own, serving.as_ref()).await };
        let finished = self.run("prepare", work, drop).await;
        let finished = finished.map_err(|unfinished| self.rejection("prepare", &unfinished));
        finished.and_then(|prepared| prepared).map_err(|rejection| with_places(rejection, candidate))
    }

    /// Activates `candidate`. Rolls it back on failure.
    ///
    /// # Errors
    /// The problems that the application reports, or its panic or missed deadline.
    pub(crate) async fn activate(
        &mut self,
        mut prepared: Box<dyn Prepared>,
        candidate: &Snapshot,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        let deadline = self.deadline;
        // The deadline and the panic are caught inside the task, which then still owns `prepared` and returns it for
        // the rollback.
        let work = async move {
            let activated = timeout(deadline, catch_panic(prepared.activate())).await;
            let activated = match activated {
                Ok(Some(activated)) => Ok(activated),
                Ok(None) => Err(Unfinished::Panicked),
                Err(_) => Err(Unfinished::TimedOut),
            };
            (activated, prepared)
        };
        let late = move |(_, prepared): (_, Box<dyn Prepared>)| {
            tokio::spawn(rollback_late(prepared, deadline));
        };
        let failed = match self.run("activate", work, late).await {
            Ok((Ok(Ok(())), prepared)) => return Ok(prepared),
            Ok((activated, prepared)) => {
                self.rollback(prepared).await;
                activated.map_or_else(|unfinished| Some(self.rejection("activate", &unfinished)), Result::err)
            }
            Err(unfinished) => Some(self.rejection("activate", &unfinished)),
        };
        let failed = failed.unwrap_or_else(|| self.rejection("activate", &Unfinished::Panicked));
        Err(with_places(failed, candidate))
    }

    /// Commits an activated candidate. Logs a failure of the application and ignores it.
    pub(crate) async fn commit(&mut self, prepared: Box<dyn Prepared>) {
        if let Err(unfinished) = self.run("commit", prepared.commit(), drop).await {
            tracing::error!("{}", self.message("commit", &unfinished));
        }
    }

    /// Rolls back a prepared or activated candidate. Logs a failure of the application and ignores it.
    pub(crate) async fn rollback(&mut self, prepared: Box<dyn Prepared>) {
        if let Err(unfinished) = self.run("rollback", prepared.rollback(), drop).await {
            tracing::error!("{}", self.message("rollback", &unfinished));
        }
    }

    /// Runs a step in a task of its own. `late` receives a result that comes after the host has given the step up.
    async fn run<T: Send + 'static>(
        &mut self,
        step: &'static str,
        work: impl Future<Output = T> + Send + 'static,
        late: impl FnOnce(T) + Send + 'static,
    ) -> Result<T, Unfinished> {
        let deadline = self.deadline;
        self.pulse.beat();
        let (sender, result) = oneshot::channel();
        let task = tokio::spawn(async move {
            let finished = match timeout(deadline + GRACE / 2, catch_panic(work)).await {
                Ok(Some(finished)) => Ok(finished),
                Ok(None) => Err(Unfinished::Panicked),
                Err(_) => Err(Unfinished::TimedOut),
            };
            if let Err(Ok(finished)) = sender.send(finished) {
                late(finished);
            }
        });
        match timeout(deadline + GRACE, result).await {
            Ok(Ok(finished)) => finished,
            // The runtime is shutting down.
            Ok(Err(_)) => Err(Unfinished::Panicked),
            Err(_) => {
                self.blocked = Some((step, task));
                Err(Unfinished::Blocked)
            }
        }
    }

    /// Waits for a step that blocked its thread: it must not overlap with the next configuration.
    async fn wait_for_blocked(&mut self) -> Result<(), Rejection> {
        let Some((step, task)) = &mut self.blocked else { return Ok(()) };
        if timeout(self.deadline, task).await.is_err() {
            let message =
                format!("the application has not returned yet from `{step}` of an earlier configuration");
            return Err(Rejection::of(RejectionClass::Activate, "activation", message).transient());
        }
        self.blocked = None;
        Ok(())
    }

    fn rejection(&self, step: &str, unfinished: &Unfinished) -> Rejection {
        Rejection::of(RejectionClass::Activate, "activation", self.message(step, unfinished))
    }

    fn message(&self, step: &str, unfinished: &Unfinished) -> String {
        let seconds = self.deadline.as_secs_f64();
        match unfinished {
            Unfinished::Panicked => format!("the application panicked in `{step}`"),
            Unfinished::TimedOut => {
                format!("the application did not return from `{step}` within {seconds} s")
            }
            Unfinished::Blocked => {
                format!("the application blocks its thread in `{step}` for more than {seconds} s")
            }
        }
    }
}

/// Rolls back, in the background, a candidate that was activated too late.
async fn rollback_late(prepared: Box<dyn Prepared>, deadline: Duration) {
    if !matches!(timeout(deadline, catch_panic(prepared.rollback())).await, Ok(Some(()))) {
        tracing::error!("the application could not roll back a configuration that it activated too late");
    }
}

/// Adds file and line to problems that have only a key.
fn with_places(mut rejection: Rejection, candidate: &Snapshot) -> Rejection {
    rejection.problems.locate(|key| candidate.place_of(key));
    rejection
}

/// Runs a future. Returns `None` when it panics.
async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(move |cx| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}

impl fmt::Debug for Activator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activator").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
