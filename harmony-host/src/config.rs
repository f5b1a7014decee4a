//! The configuration as types: what each file says ([`fragment`](Fragment)), and all of it merged and
//! checked against itself ([`Config`]).

pub(crate) mod activity;
pub(crate) mod addresses;
pub(crate) mod backend;
pub(crate) mod clashes;
pub(crate) mod connection;
pub(crate) mod endpoint;
pub(crate) mod fragment;
pub(crate) mod link;
pub(crate) mod lookup;
pub(crate) mod management;
pub(crate) mod membership;
pub(crate) mod merged;
pub(crate) mod mesh;
pub(crate) mod middleware;
pub(crate) mod name;
pub(crate) mod network;
pub(crate) mod pipeline;
pub(crate) mod provider;
pub(crate) mod proxy;
pub(crate) mod section;
#[cfg(test)]
pub(crate) mod test_registry;

pub use activity::Primary;
pub use backend::{Backend, Target, Timing};
pub use connection::Connection;
pub use endpoint::Endpoint;
pub use fragment::{Fragment, GatewaySections};
pub use link::{Destination, LinkedBackend, LinkedEgress, LinkedIngress, LinkedPipeline};
pub use management::Management;
pub use membership::LinkedMesh;
pub use merged::Config;
pub use mesh::{Mesh, RemoteIngress};
pub use middleware::Middleware;
pub use network::{Listen, Network, TlsFiles};
pub use pipeline::{Egress, Ingress, Pipeline};
pub(crate) use provider::{DEFAULT_INTERVAL_SECS, DEFAULT_PRIMARY};
pub use provider::{ProviderSection, ProviderSections};
pub use proxy::{Directory, Proxy};
