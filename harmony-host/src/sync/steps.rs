//! The state that the steps of a pass share, and the values that they pass on to each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provider_api::{Change, ChangeHead, Clock, Error, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::apply::Command;
use crate::history::History;
use crate::journal::Entry;
use crate::providers::PrimaryProvider;
use crate::status::StatusBoard;
use crate::sync::call::{Primary, is_primary};
use crate::sync::lazy_journal::LazyJournal;
use crate::sync::listing::Listing;
use crate::sync::outbox::Outbox;
use crate::sync::pause::PauseSwitch;
use crate::sync::report::SyncReport;

/// The state of sync passes, from one to the next.
pub(super) struct SyncPass {
    pub(super) apply: mpsc::Sender<Command>,
    pub(super) primary: Primary,
    pub(super) journal: LazyJournal,
    pub(super) outbox: Arc<Outbox>,
    pub(super) status: Arc<StatusBoard>,
    pub(super) pause: Arc<PauseSwitch>,
    /// The changes of the last list whose bodies are not in the journal. `Unchanged` means that the list is still valid.
    pub(super) listed: Vec<ChangeHead>,
    /// The repeats of each verdict whose change the provider still lists, and the earliest time of the next one.
    pub(super) repeated: HashMap<u64, (u32, Instant)>,
    /// The changes that stay pending at the provider.
    pub(super) listing: Mutex<Listing>,
    /// The first failed call for the changes that an earlier pass has left. It fails this pass at its end: the provider is
    /// asked for its list all the same, since one change must not keep the others away.
    pub(super) unfinished: Option<Error>,
    /// The changes of an earlier pass that were refused before the provider was asked for others.
    pub(super) refused: Vec<u64>,
    pub(super) history: Arc<History>,
    pub(super) clock: Arc<dyn Clock>,
}

impl SyncPass {
    pub(super) fn listing(&self) -> MutexGuard<'_, Listing> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_primary(&self, primary: &PrimaryProvider) -> bool {
        is_primary(&self.primary, primary)
    }

    /// Returns whether changes of `primary` may be taken: it is primary, and the sync is not paused.
    pub(super) fn may_take(&self, primary: &PrimaryProvider) -> bool {
        self.is_primary(primary) && !self.pause.is_set()
    }
}

/// The report of a pass so far, and its first error that does not end it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    report: Mutex<SyncReport>,
    failure: Mutex<Option<Error>>,
}

impl Outcome {
    pub(super) fn new(report: SyncReport) -> Self {
        Self { report: Mutex::new(report), failure: Mutex::default() }
    }

    pub(super) fn report(&self) -> MutexGuard<'_, SyncReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an error with which the other changes go on. The pass fails at its end.
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn into_parts(self) -> (SyncReport, Option<Error>) {
        let report = self.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        (report, self.failure.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The number of consecutive failed calls after which the provider counts as unavailable.
pub(super) const MISSES: u32 = 3;

/// The most results that are recorded together.
pub(super) const CHUNK: usize = 256;

/// A fetch of the body of a change.
pub(super) struct FetchAttempt {
    pub(super) entry: Arc<Entry>,
    /// Set when the fetch counts toward [`FETCHES`]. A fetch that an operator requests before it is due does not count.
    pub(super) counts: bool,
}

/// An attempt with its result.
pub(super) type Fetched = (FetchAttempt, Result<Change>);

/// A change whose document is in the journal, and that the provider may not know to be received.
pub(super) struct Fresh {
    pub(super) entry: Arc<Entry>,
    /// Set when an earlier report may have arrived although its response was lost, or the process ended before the
    /// response.
    pub(super) announced_before: bool,
}

/// A change with the answer to its acknowledgement.
pub(super) type Answered = (Fresh, Result<()>);
