//! The host: one gateway on one configuration, started, asked and stopped.

mod handle;
pub(crate) mod provider_section;

pub(crate) use handle::{Command, absolute, reload, sync_now};
pub use handle::{Host, HostOptions};
