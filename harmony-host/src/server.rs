//! The listeners of the built-in gateway, their connections, and the probe of both.

mod bind;
mod connection;
mod context;
mod listeners;
mod preface;
mod probe;
mod service;

pub(crate) use bind::BindError;
pub(crate) use listeners::{Bound, Listeners};
pub(crate) use probe::{Probe, reachable};
pub(crate) use service::Service;
