//! Durable files: atomic replacement, checksums, copies, locks, and the points at which tests let them fail.

mod acl;
pub(crate) mod append;
pub(crate) mod atomic_file;
pub(crate) mod complaint;
pub(crate) mod digest;
pub(crate) mod exchange;
pub(crate) mod failpoints;
pub(crate) mod io_error;
pub(crate) mod lock;
pub(crate) mod operations;
mod renames;
pub(crate) mod replaced;
pub(crate) mod sealed;
pub(crate) mod syncs;
pub(crate) mod users;
