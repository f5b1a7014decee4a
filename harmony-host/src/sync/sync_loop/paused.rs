//! A pause in the sync loop: its end by time, and the questions meanwhile.

use std::time::Duration;

use provider_api::{Cadence, DisplayDuration};

use crate::providers::isolate::error_chain;
use crate::sync::sync_loop::SyncLoop;

/// The interval of the questions to a source that waits for changes, while the sync is paused. It has an answer at once: the
/// changes that wait.
pub(super) const RELIST: Duration = Duration::from_secs(30);

/// The longest wait between two looks at the wall clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(60);

impl SyncLoop {
    /// Ends a pause whose time is over. Returns the wait until the next look.
    pub(super) async fn end_pause(&mut self) -> Duration {
        let Some(left) = self.pause.left(self.clock.now()) else { return Duration::MAX };
        if !left.is_zero() {
            return left.clamp(Duration::from_millis(10), LOOK);
        }
        match self.pause.clear().await {
            Ok(()) => tracing::info!("the time of the pause is over; the sync goes on"),
            Err(error) => {
                let (error, wait) = (error_chain(&error), DisplayDuration(LOOK));
                tracing::warn!(
                    error,
                    "the time of the pause is over, but it cannot be ended; tried again in {wait}"
                );
            }
        }
        LOOK
    }

    /// Returns whether a source that waits for changes is asked at an interval, because its answer is not taken.
    pub(super) fn is_listed_again(&self) -> bool {
        self.pause.current().is_some() && self.cadence() == Some(Cadence::Waits)
    }
}
