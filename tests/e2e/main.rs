//! End-to-end tests: real files, sockets and processes.

mod attacks;
mod cli;
mod conformance;
mod control_plane;
mod counting;
mod demo;
mod doors;
mod embedding;
mod enrollment;
mod forwarding;
mod guide;
mod load;
mod management;
mod mesh;
mod references;
mod reload;
mod routing;
mod sdk;
mod swapping;
mod switching;
mod sync;
mod tls;
mod trees;
