//! The provider as a gateway sees it: through the registry and the traits of the contract, in front of a
//! control plane that does what it is told.

// Clippy's exception for tests reaches test functions, not the helpers they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod calls;
mod claims;
mod clock;
mod credential;
mod elsewhere;
mod forge;
mod gateway;
mod key_sets;
mod limits;
mod pending;
mod sdk;
mod signatures;
mod stand_in;
mod storing;
