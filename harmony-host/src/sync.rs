//! Syncing with the primary provider: polling for changes, applying them, reporting the verdicts.

mod acknowledge;
mod apply_ready;
mod backoff;
mod call;
mod caller;
mod command;
mod expiry;
mod fetch;
mod first_contact;
mod lazy_journal;
mod listing;
mod outbox;
mod pass;
mod pause;
mod push;
mod question;
mod rejection;
mod report;
mod schedule;
mod steps;
mod summary;
mod sync_loop;

pub(crate) use backoff::Backoff;
pub(crate) use command::SyncCommand;
pub(crate) use lazy_journal::{LazyJournal, SharedJournal};
pub(crate) use pause::PauseSwitch;
pub use push::{PushFailure, PushReport};
pub use report::SyncReport;
pub(crate) use sync_loop::{SyncLoop, SyncParts};
