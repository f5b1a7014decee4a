//! Tests of the control plane, over real sockets.

mod changes;
mod client;
mod credentials;
mod faults;
mod keys;
mod page;
mod rights;
