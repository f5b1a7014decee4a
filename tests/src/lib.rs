//! What the end-to-end tests are written with: gateways as real processes or in this one, upstreams that
//! remember what they were sent, configurations in directories of their own, ports that are free.
//!
//! Nothing here sleeps for luck; [`eventually`] waits for a condition.

mod ahead;
mod binary;
mod client;
pub mod control_plane;
pub mod crash;
mod edge;
mod eventually;
pub mod fault_proxy;
mod gateway;
mod identity;
pub mod layers;
mod null_activation;
mod outpost;
mod ports;
mod raw;
mod raw_server;
pub mod site;
mod token;
pub mod traces;
mod upstream;
mod workdir;

pub use ahead::Ahead;
pub use binary::{binary, faulty_binary, place_of};
pub use client::{client, get};
pub use edge::{EDGE, Edge, EdgeOptions};
pub use eventually::eventually;
pub use gateway::Gateway;
pub use identity::{Identity, handshake};
pub use null_activation::NullActivation;
pub use outpost::Outpost;
pub use ports::free_port;
pub use raw::Raw;
pub use raw_server::RawServer;
pub use site::Site;
pub use token::{Forged, SECRET, rsa_pair};
pub use upstream::{Answer, Seen, Upstream, full};
pub use workdir::Workdir;

/// The guide's provider compiles as it stands on the page.
#[cfg(doctest)]
#[doc = include_str!("../../docs/PROVIDERS.md")]
pub struct Guide;
