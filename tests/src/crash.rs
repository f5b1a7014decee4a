//! A gateway that is killed at a step of a change, while the network loses, repeats and reorders what is said: after
//! a restart each change has one verdict, and it is true.
//!
//! The gateway is the real program as a process of its own, with the points compiled in at which it can be ended. A
//! [`Case`] names where it is ended and what the network does meanwhile; [`run`] plays it.

mod batch;
mod case;
mod check;
mod kill;
mod life;
mod run;
mod wire;

pub use case::{Case, matrix, sample};
pub use kill::Kill;
pub use run::{Outcome, run, run_all};
pub use wire::Wire;
