//! Crash tests: a gateway is killed at a step of a change while the network loses, repeats and reorders messages.
//! After a restart, each change must have exactly one verdict, and the verdict must be true.
//!
//! The gateway is the real program in a process of its own, built with failpoints. A [`Case`] names the failpoint and
//! the faults of the network; [`run`] executes it.

mod batch;
mod case;
mod check;
mod gateway_run;
mod kill;
mod network;
mod run;

pub use case::{Case, matrix, read_only, sample};
pub use kill::Kill;
pub use network::Network;
pub use run::{Outcome, run, run_all};
