//! Snapshots: one configuration, checked, linked and immutable, with the interface for applications.

mod abilities;
mod admission;
mod build;
pub(crate) mod certificates;
mod destination;
pub(crate) mod embedding;
pub(crate) mod feed;
mod https;
mod listen;
#[cfg(feature = "gateway")]
mod network;
pub(crate) mod published;
#[cfg(feature = "management")]
mod redirected;
pub(crate) mod refresh;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod view;

pub use admission::{AdmissionError, Admitted, MeshContext, MeshDenial, RequestHead};
pub use build::Snapshot;
pub use destination::{Destination, DestinationUrl};
pub(crate) use listen::{ListenerSpec, TlsSpec};
pub use view::{File, FileKind, Network, Pipeline};
