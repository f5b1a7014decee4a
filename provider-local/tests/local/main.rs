//! Tests of the provider through the registry and the traits of the contract, as a gateway uses it.

// Clippy's exception for tests applies to test functions, not to the helpers they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod algorithms;
mod building;
mod claims;
mod forge;
mod harness;
mod resolution;
mod round_trip;
mod rsa;
