//! The configuration as types: the content of one file ([`Fragment`]), and all files merged and cross-checked
//! ([`Config`]).

pub(crate) mod active_providers;
pub(crate) mod addresses;
pub(crate) mod backend;
pub(crate) mod capabilities;
pub(crate) mod conflicts;
pub(crate) mod connection;
mod duplicate;
pub(crate) mod endpoint;
pub(crate) mod force_https;
pub(crate) mod fragment;
pub(crate) mod jwks_url;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod lookup;
pub(crate) mod management;
pub(crate) mod management_paths;
pub(crate) mod membership;
pub(crate) mod merged;
pub(crate) mod mesh;
pub(crate) mod mesh_auth;
pub(crate) mod middleware;
pub(crate) mod name;
pub(crate) mod named;
pub(crate) mod network;
pub(crate) mod peer;
pub(crate) mod pipeline;
pub(crate) mod provider;
pub(crate) mod proxy;
pub(crate) mod section;
#[cfg(test)]
pub(crate) mod test_registry;
pub(crate) mod trusted_proxies;
pub(crate) mod variables;
pub(crate) mod weak_secret;

pub(crate) use active_providers::Primary;
pub(crate) use backend::{Backend, Target, Timing};
pub use capabilities::Capabilities;
pub(crate) use endpoint::Endpoint;
pub(crate) use fragment::{Fragment, GatewaySections};
pub(crate) use link::{Destination, LinkedBackend, LinkedIngress, LinkedPipeline};
pub(crate) use management::Management;
pub(crate) use membership::LinkedMesh;
pub(crate) use merged::{Config, MergeContext};
pub(crate) use mesh::{Mesh, RemoteIngress};
pub(crate) use mesh_auth::TokenRule;
pub(crate) use middleware::Middleware;
pub(crate) use network::{Listen, Network};
pub(crate) use peer::Peer;
pub(crate) use pipeline::{Egress, Ingress, Pipeline};
pub(crate) use provider::ProviderSection;
pub(crate) use provider::{DEFAULT_INTERVAL_SECS, DEFAULT_PRIMARY};
pub(crate) use proxy::{Directory, Proxy};
