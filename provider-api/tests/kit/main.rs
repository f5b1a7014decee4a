//! Tests of the conformance kit: one conforming provider, and many that each break one rule.

// Clippy's exception for tests reaches test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod control_plane;
mod enrollment;
mod factory;
mod inner;
mod mesh_auth;
mod mutants;
mod mutation;
mod over_http;
mod provider;
mod publisher;
mod resolver;
mod retention;
mod right;
mod source;
mod stand_in;
mod store;
mod vacuous;
mod world;
