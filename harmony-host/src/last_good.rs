//! The configurations that were good, kept so that a start with a damaged file, or with the control plane away, serves
//! what was served before.

mod generation;
mod keeper;
mod ring;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use generation::decode;
pub(crate) use generation::{Generation, Marks};
pub(crate) use keeper::{LastGood, directory};
pub(crate) use ring::Ring;
