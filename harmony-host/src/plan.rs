//! What a request runs through, worked out when a configuration is built so that nothing is looked up by name while
//! it is served.

mod base_url;
mod build;
mod mesh;
mod reference_cache;
mod route;
pub(crate) mod route_table;
mod target;
mod token_cache;
mod upstream;

#[cfg(feature = "gateway")]
pub(crate) use base_url::BaseUrl;
pub(crate) use build::{Plans, build_plans};
pub(crate) use mesh::MeshPlan;
pub(crate) use route::{Admission, Route};
pub use token_cache::{Base, VerifiedTokens};
#[cfg(feature = "gateway")]
pub(crate) use upstream::HttpUpstream;
pub(crate) use upstream::Upstream;
