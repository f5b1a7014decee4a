//! The probe: requests of the gateway to its own listeners, which prove that a configuration is live.

mod connection;
mod prober;
mod request;

pub(crate) use prober::{Probe, reachable};
