//! The status of the gateway: what the files say, what was tried, what is served, and how following a provider goes.

mod board;
mod overview;
mod sync;

pub(crate) use board::StatusBoard;
pub use overview::{Attempted, Desired, Effective, LastGoodStatus, ProblemReport, Status};
pub(crate) use overview::{full, timestamp};
pub use sync::{SyncFailure, SyncStatus};
