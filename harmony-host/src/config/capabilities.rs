//! The services and middleware that a host can serve.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The names of options, by section and service.
    options: BTreeMap<(&'static str, String), BTreeSet<String>>,
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

    /// Names the options of endpoints of `service`: the keys of `options` that the application reads. Every other key is
    /// then rejected as unknown, and an option that this host does not serve counts as served by the application. A
    /// service without named options may have any, except for `http` and `echo`, whose options this host reads.
    #[must_use]
    pub fn with_endpoint_options<K: Into<String>>(
        self,
        service: impl Into<String>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.with_options("endpoints.*", service.into(), keys)
    }

    /// Names the options of backends of `service`, as [`with_endpoint_options`](Self::with_endpoint_options) does.
    #[must_use]
    pub fn with_backend_options<K: Into<String>>(
        self,
        service: impl Into<String>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.with_options("backends.*", service.into(), keys)
    }

    /// Names the options of middleware of the type `kind`, as [`with_endpoint_options`](Self::with_endpoint_options)
    /// does. This host reads the options of `mesh_auth` and `passthru`.
    #[must_use]
    pub fn with_middleware_options<K: Into<String>>(
        self,
        kind: impl Into<String>,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.with_options("middleware.*", kind.into(), keys)
    }

    fn with_options<K: Into<String>>(
        mut self,
        section: &'static str,
        service: String,
        keys: impl IntoIterator<Item = K>,
    ) -> Self {
        self.options.entry((section, service)).or_default().extend(keys.into_iter().map(Into::into));
        self
    }

    /// Returns the named options of a service; `None` if none were named.
    pub(crate) fn options(&self, section: &'static str, service: &str) -> Option<&BTreeSet<String>> {
        self.options.get(&(section, service.to_owned()))
    }

    /// Returns whether the application serves an option of a service.
    pub(crate) fn serves_option(&self, section: &'static str, service: &str, key: &str) -> bool {
        self.options(section, service).is_some_and(|known| known.contains(key))
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
