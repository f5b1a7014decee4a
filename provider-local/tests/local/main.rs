//! The provider as a gateway sees it: through the registry and the traits of the contract.

// Clippy's exception for tests reaches test functions, not the helpers they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod algorithms;
mod building;
mod claims;
mod forge;
mod harness;
mod resolution;
mod round_trip;
mod rsa;
