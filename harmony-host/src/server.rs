//! The listeners of the built-in gateway, their connections, and the probe of both.

mod answer;
mod bind;
mod client_stream;
mod connection;
mod context;
mod counted;
pub(crate) mod descriptors;
mod drain;
mod http1;
mod in_flight;
mod listeners;
mod on_wake;
mod preface;
mod probe;
mod room;
mod service;
mod streams;
mod targets;

pub(crate) use bind::BindError;
pub(crate) use listeners::{Bound, Listeners};
pub(crate) use probe::{Probe, reachable};
pub(crate) use service::Service;
