//! Probes: requests of the gateway to itself, which show what it serves.

mod exchange;
mod prober;
mod question;

pub(crate) use prober::{Probe, reachable};
