#![doc = include_str!("../README.md")]

mod apply;
mod atomic_file;
mod builtin;
pub mod cli;
mod commit;
pub mod config;
mod digest;
pub mod documents;
mod edits;
mod embedding;
mod fault_points;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod host;
mod inventory;
mod isolate;
mod journal;
mod last_good;
mod listener;
mod lock;
mod management;
mod path;
mod plan;
mod probe;
pub mod problem;
mod proposal;
mod provider_section;
mod providers;
mod recovery;
pub mod report;
mod resolutions;
mod routes;
mod snapshot;
mod snapshots;
pub mod source;
mod status;
mod sync;
mod tls;
mod upstream;
mod url_prefix;
mod watch;

pub use apply::Verdict;
pub use builtin::registry;
pub use digest::Digest;
pub use host::{Host, HostOptions};
#[doc(hidden)]
pub use plan::{Base, VerifiedTokens};
pub use providers::Providers;
pub use snapshot::{Rejection, Snapshot};
pub use snapshots::Snapshots;
pub use status::{
    Attempted, Desired, Effective, LastGoodStatus, ProblemReport, Status, SyncFailure, SyncStatus,
};
pub use sync::{ChangeReport, PushReport, SyncReport};
pub use url_prefix::{Scheme, UrlPrefix};
