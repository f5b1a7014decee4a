//! Following a provider: asking for changes at its cadence, applying them, reporting the verdicts.

mod backoff;
mod journal_place;
mod outbox;
mod pass;
mod push;
mod rejection;
mod report;
mod schedule;
mod summary;
mod sync_loop;

pub(crate) use backoff::Backoff;
pub(crate) use journal_place::JournalPlace;
pub use push::PushReport;
pub use report::{ChangeReport, SyncReport};
pub(crate) use sync_loop::{Sync, SyncCommand, SyncParts, cadence_of, credential_status_of};
