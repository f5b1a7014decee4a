//! The levels of the log, changed while the process runs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use provider_api::{Error, Result};
use tracing_subscriber::EnvFilter;

use crate::cli::log::directives::Directives;
use crate::host::{Levels, LogLevels};
use crate::status::timestamp;

/// Replaces the filter of the subscriber.
type Replace =
    Box<dyn Fn(EnvFilter) -> std::result::Result<(), tracing_subscriber::reload::Error> + Send + Sync>;

/// The targets whose events SIGUSR2 shows: the host, and the crates whose names begin with `provider`.
const OWN: [&str; 2] = ["harmony_host", "provider"];

/// The levels of the log. A cheap handle.
#[derive(Clone)]
pub(super) struct LevelControl(Arc<Inner>);

struct Inner {
    replace: Replace,
    at_start: Directives,
    state: Mutex<State>,
}

/// The present levels.
struct State {
    present: Directives,
    until: Option<Timestamp>,
    /// The number of changes so far: an end that was set by an earlier one is void.
    changes: u64,
}

impl fmt::Debug for LevelControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LevelControl").field(&self.state().present).finish()
    }
}

impl LevelControl {
    /// Creates the control of a filter that was made from `at_start`.
    pub(super) fn new(at_start: Directives, replace: Replace) -> Self {
        let state = Mutex::new(State { present: at_start.clone(), until: None, changes: 0 });
        Self(Arc::new(Inner { replace, at_start, state }))
    }

    /// Sets the level `debug` for the gateway's own events, or returns to the levels of the start if it is set. Returns the
    /// present levels.
    ///
    /// # Errors
    /// The errors of [`LogLevels::reset`].
    pub(super) fn toggle_debug(&self) -> Result<Levels> {
        let debug = OWN.map(|target| format!("{target}=debug"));
        let is_set = debug.iter().all(|directive| self.state().present.has(directive));
        if is_set { self.reset() } else { self.set(&debug, None) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `present` the levels. Returns the number of changes.
    fn install(&self, state: &mut State, present: Directives, until: Option<Timestamp>) -> Result<u64> {
        let filter = present.filter().map_err(|error| Error::invalid(format!("the log levels: {error}")))?;
        (self.0.replace)(filter).map_err(|error| Error::unavailable(format!("the log: {error}")))?;
        state.changes += 1;
        (state.present, state.until) = (present, until);
        Ok(state.changes)
    }

    /// Returns to the levels of the start at the end of `duration`, unless they are changed before.
    async fn end_after(self, duration: Duration, change: u64) {
        tokio::time::sleep(duration).await;
        let is_last = self.state().changes == change;
        if is_last && self.reset().is_ok() {
            tracing::info!("the log has the levels of the start again");
        }
    }
}

impl LogLevels for LevelControl {
    fn levels(&self) -> Levels {
        let state = self.state();
        Levels::new(state.present.texts(), self.0.at_start.texts()).until(state.until)
    }

    fn set(&self, directives: &[String], duration: Option<Duration>) -> Result<Levels> {
        let mut state = self.state();
        let mut present = state.present.clone();
        for directive in directives {
            present.set(directive).map_err(Error::invalid)?;
        }
        let end = duration.and_then(|duration| SystemTime::now().checked_add(duration));
        let change = self.install(&mut state, present, end.map(timestamp))?;
        drop(state);
        if let Some(duration) = duration {
            tokio::spawn(self.clone().end_after(duration, change));
        }
        Ok(self.levels())
    }

    fn reset(&self) -> Result<Levels> {
        let mut state = self.state();
        self.install(&mut state, self.0.at_start.clone(), None)?;
        drop(state);
        Ok(self.levels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control() -> LevelControl {
        LevelControl::new(Directives::of_start("info"), Box::new(|_| Ok(())))
    }

    #[tokio::test(start_paused = true)]
    async fn levels_of_the_start_return() {
        let control = control();
        let minute = Duration::from_secs(60);
        let set = |text: &str, duration| control.set(&[text.to_owned()], duration).unwrap();
        assert!(set("harmony_host=debug", Some(minute)).until.is_some());
        tokio::time::sleep(minute * 2).await;
        assert_eq!(control.levels().directives, ["info"]);
        // A later change that stays is not undone by the end of an earlier one.
        set("harmony_host=debug", Some(minute));
        assert_eq!(set("harmony_host=trace", None).until, None);
        tokio::time::sleep(minute * 2).await;
        assert_eq!(control.levels().directives, ["info", "harmony_host=trace"]);
    }

    #[tokio::test]
    async fn debug_is_toggled() {
        let control = control();
        assert_eq!(
            control.toggle_debug().unwrap().directives,
            ["info", "harmony_host=debug", "provider=debug"]
        );
        assert_eq!(control.toggle_debug().unwrap().directives, ["info"]);
    }
}
