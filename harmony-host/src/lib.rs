#![doc = include_str!("../README.md")]

mod apply;
pub mod cli;
mod config;
mod diagnostics;
mod documents;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod http;
mod journal;
mod last_good;
mod management;
mod plan;
mod providers;
mod proxy;
mod recovery;
mod server;
mod snapshot;
mod status;
mod storage;
mod sync;

pub use apply::Verdict;
pub use diagnostics::problem::{Problem, Problems, Severity};
pub use diagnostics::render::render;
pub use diagnostics::source::{At, Place, Source};

pub use host::{Host, HostOptions};
pub use http::url_prefix::{Scheme, UrlPrefix};
#[doc(hidden)]
pub use plan::{Base, VerifiedTokens};
pub use providers::{Providers, registry};
pub use snapshot::feed::Snapshots;
pub use snapshot::{Rejection, Snapshot};
pub use status::{
    Attempted, Desired, Effective, LastGoodStatus, ProblemReport, Status, SyncFailure, SyncStatus,
};
pub use storage::digest::Digest;
pub use sync::{ChangeReport, PushReport, SyncReport};
