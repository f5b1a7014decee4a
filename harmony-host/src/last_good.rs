//! The last good configurations, saved so that a start with a damaged file, or without the control plane, serves the
//! configuration that was served before.

mod generation;
mod ring;
mod saver;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use generation::decode;
pub(crate) use generation::{Generation, Metadata};
pub(crate) use ring::Ring;
#[cfg(feature = "gateway")]
pub(crate) use ring::newest;
pub(crate) use saver::{LastGood, directory};
