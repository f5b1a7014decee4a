//! What a request runs through, worked out when a configuration is built so that nothing is looked up by name while
//! it is served.

mod build;
mod mesh;
mod outlet;
mod reference_cache;
mod route;
pub(crate) mod route_table;
mod token_cache;

pub(crate) use build::{Plans, build_plans};
pub(crate) use mesh::MeshPlan;
pub(crate) use outlet::{BaseUrl, Destination, ForwardPlan, Outlet};
pub(crate) use route::{Admission, PipelinePlan, Route, Tables};
pub use token_cache::{Base, VerifiedTokens};
