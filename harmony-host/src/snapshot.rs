//! Everything that one configuration makes of the gateway, immutable, and what an application asks of it.

pub(crate) mod admission;
mod build;
mod embedding;
pub(crate) mod feed;
pub(crate) mod tls;

pub(crate) use build::ListenerSpec;
pub use build::{Rejection, Snapshot};
