//! The fuzz targets that need a whole gateway: requests, responses of backends, rounds of a sync.
//!
//! Gateway, client, backend and control plane share one thread, so that an input is handled the same way each time. Each
//! target checks what its own strict parser reads from the sockets, never what the gateway reports.

mod answer;
mod backend;
mod client;
mod fields;
mod message;
mod request;
mod round;
mod stage;
#[cfg(test)]
mod tests;
mod world;

pub use answer::answer;
pub use request::request;
pub use round::round;
