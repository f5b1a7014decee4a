//! The data plane: a request is routed, admitted and sent on.

pub(crate) mod backend_client;
mod echo;
pub(crate) mod error;
pub(crate) mod exchange;
mod forward;
pub(crate) mod headers;
