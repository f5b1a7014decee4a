//! Following a provider: asking for changes at its cadence, applying them, reporting the verdicts.

mod backoff;
mod command;
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
pub(crate) use command::SyncCommand;
pub(crate) use journal_place::JournalPlace;
pub use push::PushReport;
pub use report::SyncReport;
pub(crate) use sync_loop::{SyncLoop, SyncParts};
