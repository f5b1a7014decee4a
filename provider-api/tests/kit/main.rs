//! The conformance kit tried on a provider that is right, and on many that are each wrong in one point.

// Clippy's exception for tests reaches test functions, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod cloud;
mod enrollment;
mod factory;
mod fellow;
mod mesh_auth;
mod mutants;
mod mutation;
mod over_http;
mod publisher;
mod reference;
mod resolver;
mod retention;
mod right;
mod source;
mod stand_in;
mod store;
mod vacuous;
mod world;
