//! What the end-to-end tests are written with: gateways as real processes or in this one, upstreams that
//! remember what they were sent, configurations in directories of their own, ports that are free.
//!
//! Nothing here sleeps for luck; [`eventually`] waits for a condition.

mod eventually;
mod gateway;
mod ports;
mod token;
mod upstream;
mod workdir;

pub use eventually::eventually;
pub use gateway::{Gateway, binary};
pub use ports::free_port;
pub use token::{Forged, SECRET, rsa_pair};
pub use upstream::{Seen, Upstream};
pub use workdir::Workdir;
