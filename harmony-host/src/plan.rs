//! The plan of a configuration: its routes, upstreams and caches. They are linked when the configuration is built, so
//! that serving a request looks nothing up by name.

mod authorities;
mod base_url;
mod build;
mod destination;
mod guard;
mod mesh;
mod planned;
mod planner;
mod plans;
mod reference_cache;
mod route;
pub(crate) mod route_table;
mod target;
pub(crate) mod terms;
mod token_cache;
mod traffic;
mod upstream;

#[cfg(feature = "gateway")]
pub(crate) use authorities::Authorities;
#[cfg(feature = "gateway")]
pub(crate) use base_url::BaseUrl;
pub(crate) use build::{Before, Inputs, build_plans};
pub(crate) use mesh::MeshPlan;
pub(crate) use planned::PlannedPipeline;
pub(crate) use plans::Plans;
pub(crate) use route::{Accepted, Admission, Route};
pub(crate) use target::Target;
pub(crate) use token_cache::Sender;
pub use token_cache::{Moment, VerifiedTokens};
#[cfg(feature = "gateway")]
pub(crate) use upstream::HttpUpstream;
#[cfg(all(test, feature = "local"))]
pub(crate) use upstream::Location;
pub(crate) use upstream::{NotSent, Upstream};
