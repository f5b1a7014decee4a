//! Applying: the only path by which a configuration becomes live.

mod activation;
mod activator;
mod applier;
mod build;
mod candidate;
mod changes;
mod command;
pub(crate) mod commit;
mod edit;
mod foresee;
mod group;
mod journaled;
mod overlay;
pub(crate) mod proposal;
mod pulse;
mod recorded;
pub(crate) mod rollback;
mod selection;
mod start;
mod task;
mod trigger;
mod verdict;
mod watch;
mod write;
mod writes;

pub use activation::{Activation, Prepared};
pub(crate) use activator::Activator;
pub(crate) use applier::Applier;
pub(crate) use build::{Built, build};
pub(crate) use command::Command;
pub(crate) use edit::ConfigEdit;
#[cfg(feature = "gateway")]
pub(crate) use foresee::foresee_start;
pub(crate) use foresee::{Asked, Foreseen};
pub(crate) use journaled::{JournaledChange, Verdicts};
pub(crate) use pulse::Pulse;
#[cfg(feature = "management")]
pub(crate) use rollback::RollbackVerdict;
pub(crate) use rollback::{RollbackReport, RollbackRequest};
pub(crate) use start::Start;
pub(crate) use task::run;
pub(crate) use trigger::Trigger;
pub(crate) use verdict::ChangeVerdict;
pub use verdict::Verdict;
