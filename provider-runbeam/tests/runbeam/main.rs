//! Tests of the provider through the registry and the traits of the contract, against a scripted stand-in for the
//! control plane.

// Clippy's exception for tests applies to test functions, not to the helpers they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod addressee;
mod answer;
mod calls;
mod claims;
mod clock;
mod credential;
mod forge;
mod gateway;
mod issued;
mod key_sets;
mod limits;
mod login;
mod messages;
mod odd_answers;
mod origins;
mod pending;
mod sdk;
mod signatures;
mod stand_in;
mod storage;
mod takeover;
