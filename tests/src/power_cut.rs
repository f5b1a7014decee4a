//! Power cuts: the operations on the disk of a real apply are recorded, and every state that a power cut may leave of them is
//! recovered. Each change must then have one true verdict, or none yet and the old files.
//!
//! A state is a prefix of the operations. What was not synced in it may be lost or, the content of a file, torn; see
//! `Disk`. The states of a prefix are tried all if they are few, otherwise the extreme ones and a seeded sample.

mod check;
mod disk;
mod record;
mod run;
mod states;

pub use run::{Outcome, Scenario, run};
