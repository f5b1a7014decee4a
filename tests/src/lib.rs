//! The harness of the end-to-end tests: gateways as processes or in this one, upstreams that record requests, raw
//! connections, temporary directories and free ports.
//!
//! No helper sleeps for a fixed time; [`eventually`] polls a condition.

mod binary;
mod client;
mod collector;
pub mod control_plane;
pub mod crash;
pub mod disk;
mod eventually;
pub mod fault_proxy;
mod frozen;
pub mod fuzzing;
mod gateway;
mod gateway_process;
mod http2_server;
mod identity;
mod in_process_gateway;
pub mod layers;
mod metrics;
mod mount;
mod null_activation;
mod official_names;
mod offset_clock;
mod ports;
#[cfg(feature = "failpoints")]
pub mod power_cut;
mod raw;
mod raw_server;
pub mod site;
mod token;
mod upstream;
mod workdir;

pub use binary::{binary, binary_path, faulty_binary, power_cut_binary};
pub use client::{client, get};
pub use collector::{Collector, Exported, Span};
pub use eventually::eventually;
pub use frozen::until_closed_unread;
pub use gateway::Gateway;
pub use gateway_process::GatewayProcess;
pub use http2_server::{Http2Server, Reply};
pub use identity::{Identity, handshake};
pub use in_process_gateway::{InProcessGateway, InProcessGatewayOptions, RUNBEAM_CONFIG};
pub use metrics::Metrics;
pub use mount::Mount;
pub use null_activation::NullActivation;
pub use official_names::{OFFICIAL_NAMES, OfficialNames};
pub use offset_clock::OffsetClock;
pub use ports::free_port;
pub use raw::Raw;
pub use raw_server::{RawServer, read_request};
pub use site::Site;
pub use token::{Forged, SECRET, rsa_pair};
pub use upstream::{RecordedRequest, Upstream, UpstreamResponse, full};
pub use workdir::Workdir;

/// Compiles the code blocks of the providers' guide as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/PROVIDERS.md")]
pub struct Guide;
