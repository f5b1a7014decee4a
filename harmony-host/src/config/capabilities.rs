//! The services and middleware that a host can serve.

use std::collections::BTreeSet;

/// The services and middleware that an application serves, by the names that configurations use.
///
/// A pipeline that names anything else is *unserved*: the host warns about it at load, and
/// [`Snapshot::admit`](crate::Snapshot::admit) refuses its requests, so a request is never answered without what the
/// configuration asks for. `mesh_auth` and `passthru` are middleware of the host itself: `admit` applies them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    endpoints: BTreeSet<String>,
    backends: BTreeSet<String>,
    middleware: BTreeSet<String>,
}

impl Capabilities {
    /// Creates capabilities with the middleware of the host only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service that endpoints may name. Its endpoints are reached below their `options.path_prefix`.
    #[must_use]
    pub fn with_endpoint(mut self, service: impl Into<String>) -> Self {
        self.endpoints.insert(service.into());
        self
    }

    /// Adds a service that backends may name. `http` backends lead to URLs and references, `echo` answers with the
    /// request, and the application defines what any other service does.
    #[must_use]
    pub fn with_backend(mut self, service: impl Into<String>) -> Self {
        self.backends.insert(service.into());
        self
    }

    /// Adds a type of middleware.
    #[must_use]
    pub fn with_middleware(mut self, kind: impl Into<String>) -> Self {
        self.middleware.insert(kind.into());
        self
    }

    /// Returns whether endpoints of `service` are served.
    pub fn serves_endpoint(&self, service: &str) -> bool {
        self.endpoints.contains(service)
    }

    /// Returns whether backends of `service` are served.
    pub fn serves_backend(&self, service: &str) -> bool {
        self.backends.contains(service)
    }

    /// Returns whether middleware of the type `kind` is served.
    pub fn serves_middleware(&self, kind: &str) -> bool {
        HOST_MIDDLEWARE.contains(&kind) || self.middleware.contains(kind)
    }
}

/// The middleware that the host applies itself.
pub(crate) const HOST_MIDDLEWARE: [&str; 2] = ["passthru", "mesh_auth"];
