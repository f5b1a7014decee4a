//! Listeners and their connections.

mod bind;
mod connection;
pub(crate) mod listeners;
mod preface;
pub(crate) mod probe;
