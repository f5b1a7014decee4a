//! Durable files: atomic replacement, locks, digests, and the points at which tests let them fail.

pub(crate) mod atomic_file;
pub(crate) mod digest;
pub(crate) mod failpoints;
pub(crate) mod lock;
