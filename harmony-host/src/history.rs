//! The history: the generations of a configuration with their texts, what caused each, and what was refused.

mod cause;
mod compare;
mod decode;
mod entry;
mod inner;
mod log;
mod pending;
mod query;
mod recording;
mod rolled_back;
mod state;
mod store;

pub(crate) use cause::{Cause, ChangeRef};
pub(crate) use compare::{FileDiff, compare};
pub(crate) use entry::{Entry, FileRef, Outcome};
pub(crate) use pending::Pending;
#[cfg(feature = "management")]
pub(crate) use query::Page;
pub(crate) use query::{Manifest, NotRecorded};
pub(crate) use recording::{Applied, Refused};
pub(crate) use rolled_back::{Managed, RolledBackFile};
pub(crate) use store::{History, Opened, directory};
