//! Connections to backends: which requests share one, and what happens when one fails.

mod http1;
mod http2;
mod idle_clients;
mod servers;
mod tomcat;
