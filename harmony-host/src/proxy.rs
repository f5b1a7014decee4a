//! The data plane: admission of a request, and forwarding to its backend.

mod answer_head;
mod backend_client;
mod chains;
mod connector;
mod echo;
mod error;
mod exchange;
mod forward;
pub(crate) mod headers;
mod serve;
mod upgrade;
mod watching;

pub(crate) use connector::MakeWay;
pub(crate) use serve::Proxy;
