//! The management API: HTTP endpoints for operators, the CLI and load balancers.

mod enroll;
mod explain;
mod guard;
mod health;
mod history;
mod info;
mod log;
mod metadata;
mod metrics;
mod own_calls;
mod page;
mod paths;
mod pause;
mod pipelines;
mod plan;
mod provider;
mod provider_error;
mod read_json;
mod reload;
mod rollback;
mod route;
mod routes;
mod service;
mod sync;
mod troubles;
mod update;
mod who;

#[cfg(feature = "gateway")]
pub(crate) use guard::MANAGEMENT_TOKEN;
pub use service::Management;
