//! Metrics: counters that requests write, what they mean, and the record of one request.
//!
//! The hot path only adds to counters that the plan of its route or its listener holds: it looks nothing up, and allocates only
//! when a pipeline serves its first request. What another part of the gateway knows already, such as the status, is read when the
//! metrics are.

pub(crate) mod catalogue;
mod control;
mod counter;
mod definition;
mod fault;
mod histogram;
#[cfg(feature = "gateway")]
mod listener;
mod pipeline;
mod reason;
mod recent;
#[cfg(feature = "gateway")]
mod record;
#[cfg(feature = "gateway")]
mod reference;
#[cfg(feature = "gateway")]
mod traffic;
mod troubles;

pub(crate) use control::{CacheCounters, ControlCounters};
#[cfg(feature = "management")]
pub(crate) use definition::{Definition, Kind};
#[cfg(feature = "gateway")]
pub(crate) use fault::Fault;
#[cfg(feature = "gateway")]
pub(crate) use histogram::Totals;
#[cfg(feature = "gateway")]
pub(crate) use listener::{Ending, ListenerTotals, ListenerTraffic};
#[cfg(feature = "gateway")]
pub(crate) use pipeline::{Class, Served};
pub(crate) use pipeline::{PipelineTraffic, RouteTraffic};
pub(crate) use reason::Reason;
#[cfg(feature = "gateway")]
pub(crate) use record::{Origin, Record};
#[cfg(feature = "gateway")]
pub(crate) use reference::reference;
#[cfg(feature = "gateway")]
pub(crate) use traffic::Traffic;
#[cfg(feature = "management")]
pub(crate) use troubles::Trouble;
#[cfg(feature = "management")]
pub(crate) use troubles::TroubleKind;
