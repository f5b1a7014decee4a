//! The only door through which a configuration becomes what is served.

mod applier;
mod build;
mod candidate;
mod change;
pub(crate) mod commit;
pub(crate) mod proposal;
mod start;
pub(crate) mod watch;
mod write;

pub use applier::Verdict;
pub(crate) use applier::{Applier, Trigger, refusal};
pub(crate) use build::look;
pub(crate) use change::{ChangeVerdict, NotedChange};
