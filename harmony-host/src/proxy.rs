//! The data plane: admission of a request, and forwarding to its backend.

mod backend_failure;
mod chains;
mod connector;
mod echo;
mod error;
mod exchange;
mod forward;
pub(crate) mod headers;
mod outgoing;
mod pool;
mod refused;
mod resolver;
mod serve;
mod upgrade;

pub(crate) use connector::MakeWay;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use pool::check as check_reading;
pub(crate) use refused::Refused;
pub(crate) use serve::Proxy;
