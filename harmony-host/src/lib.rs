#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(feature = "gateway"),
    allow(
        dead_code,
        reason = "a configuration describes listeners and limits that only the built-in gateway reads"
    )
)]

#[cfg(feature = "gateway")]
mod access_log;
mod apply;
mod audit;
mod cache;
#[cfg(feature = "gateway")]
pub mod cli;
mod config;
mod diagnostics;
mod difference;
mod documents;
#[cfg(feature = "management")]
mod explain;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "gateway")]
mod gateway;
mod history;
mod host;
mod http;
mod journal;
mod last_good;
#[cfg(feature = "management")]
mod management;
mod metrics;
#[cfg(feature = "gateway")]
mod otlp;
mod plan;
#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub mod power_cut;
mod providers;
#[cfg(feature = "gateway")]
mod proxy;
mod recovery;
#[cfg(feature = "gateway")]
mod server;
mod snapshot;
mod status;
mod storage;
mod sync;
#[cfg(feature = "gateway")]
mod trace;

pub use apply::{Activation, Prepared, Verdict};
/// The attribute that implementations of [`Activation`] and [`Prepared`] need.
pub use async_trait::async_trait;
pub use config::Capabilities;
pub use diagnostics::problem::{Entry, Problem, Problems, Severity};
pub use diagnostics::rejection::Rejection;
pub use diagnostics::render::render;
pub use diagnostics::source::Place;
#[cfg(feature = "gateway")]
pub use gateway::{Gateway, RunningGateway};
pub use host::{Authorized, Host, HostOptions, Levels, LogLevels, check};
pub use http::url_prefix::Scheme;
#[cfg(feature = "management")]
pub use management::Management;
#[doc(hidden)]
pub use plan::{Moment, VerifiedTokens};
pub use providers::{Providers, registry};
pub use snapshot::feed::Snapshots;
pub use snapshot::{
    AdmissionError, Admitted, Destination, DestinationUrl, File, FileKind, MeshContext, MeshDenial, Network,
    Pipeline, RequestHead, Snapshot,
};
pub use status::{
    AppliedChange, AttemptVerdict, Attempted, AuditStatus, Authorization, ChangeOutcome, ChangeReport,
    Desired, DisplacedFile, Effective, Evidence, HistoryStatus, LastGoodStatus, NotTaken, OverlaidFile,
    OverlayStatus, Pause, ProblemReport, ReadOnlyPath, RolledBackDocument, Status, SyncFailure, SyncStatus,
};
pub use storage::digest::Digest;
pub use sync::{PushFailure, PushReport, SyncReport};
