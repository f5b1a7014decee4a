//! The data plane: a request is admitted and sent on.

mod backend_client;
mod echo;
mod error;
mod exchange;
mod forward;
pub(crate) mod headers;
mod serve;

pub(crate) use serve::Proxy;
