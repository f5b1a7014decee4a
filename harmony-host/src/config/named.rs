//! The implementations of [`Named`].

use crate::config::lookup::Named;
use crate::config::{Backend, Endpoint, Mesh, Middleware, Peer, Pipeline, RemoteIngress, Target};
use crate::diagnostics::source::Place;

macro_rules! named {
    ($($kind:ty => $section:literal),* $(,)?) => {$(
        impl Named for $kind {
            const SECTION: &'static str = $section;
            fn name(&self) -> &str { &self.name }
            fn place(&self) -> &Place { &self.place }
        }
    )*};
}

named! {
    Pipeline => "pipelines",
    Endpoint => "endpoints",
    Backend => "backends",
    Target => "targets",
    Peer => "peers",
    Middleware => "middleware",
    Mesh => "mesh",
    RemoteIngress => "remote_ingress",
}
