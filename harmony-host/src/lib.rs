#![doc = include_str!("../README.md")]

mod apply;
mod builtin;
mod catalogue;
pub mod cli;
pub mod config;
mod digest;
pub mod documents;
mod gateway;
mod host;
mod isolate;
mod listener;
mod management;
mod path;
mod plan;
mod probe;
pub mod problem;
mod providers;
pub mod report;
mod routes;
mod snapshot;
pub mod source;
mod status;
mod tls;
mod upstream;
mod url_prefix;
mod watch;

pub use apply::Verdict;
pub use builtin::registry;
pub use digest::Digest;
pub use host::{Host, HostOptions};
pub use providers::Providers;
pub use snapshot::{Refusal, Snapshot};
pub use status::{Attempted, Desired, Effective, ProblemReport, Status};
pub use url_prefix::{Scheme, UrlPrefix};
