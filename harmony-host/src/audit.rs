//! The audit log: what was done to this gateway, by whom and with what result, so that a later change of the record is found.

mod actor;
mod chain;
mod event;
mod head;
mod key;
mod log;
mod place;
mod recorder;
mod segments;
mod verify;

pub(crate) use actor::Actor;
pub(crate) use event::Event;
#[cfg(feature = "gateway")]
pub(crate) use key::Key;
pub(crate) use place::Place;
pub(crate) use recorder::Audit;
#[cfg(feature = "gateway")]
pub(crate) use verify::{Fault, Report, read, verify};
