//! Linking of backends: the destination of the requests of a pipeline.

use std::sync::Arc;

use provider_api::{InvalidPath, UrlPath};

use crate::config::connection::Connection;
use crate::config::link::{Destination, LinkedBackend, Linker};
use crate::config::{Backend, Pipeline, Timing};
use crate::diagnostics::problem::Problems;

/// Returns the destination with the `path_prefix` of the backend at the end of its path.
fn below_prefix(
    backend: &Backend,
    destination: Destination,
    missing: &mut Vec<String>,
    problems: &mut Problems,
) -> Destination {
    let Some(prefix) = &backend.path_prefix else { return destination };
    let normal = UrlPath::parse(&prefix.value).map_err(InvalidPath::as_str);
    let wrong = match &normal {
        Err(message) => Some(*message),
        Ok(_) if !prefix.value.starts_with('/') || prefix.value.contains(['?', '#']) => {
            Some("expected a path")
        }
        Ok(_) => None,
    };
    if let Some(message) = wrong {
        let key = format!("backends.{}.options.path_prefix", backend.name);
        let message = format!("{message}, such as \"/tenant-7\"; found \"{}\"", prefix.value.escape_debug());
        problems.error(Some(&prefix.place), key, message);
        return Destination::Unserved;
    }
    match destination {
        Destination::Url(mut url) => {
            let path = format!("{}{}", url.path().trim_end_matches('/'), prefix.value.trim_end_matches('/'));
            url.set_path(&path);
            Destination::Url(url)
        }
        // The URLs of a resource are an agreement with its owner.
        Destination::Resource(_) => {
            missing.push(format!("the option `path_prefix` of backend `{}` with a reference", backend.name));
            Destination::Unserved
        }
        other => other,
    }
}

impl Linker<'_> {
    /// Links the backend of a pipeline.
    pub(super) fn backend_of(
        &self,
        pipeline: &Pipeline,
        key: &str,
        missing: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Option<LinkedBackend> {
        let key = format!("{key}.backends");
        let found: Vec<Option<Arc<Backend>>> =
            pipeline.backends.iter().map(|name| self.backends.find(name, &key, problems)).collect();
        if pipeline.backends.is_empty() {
            missing.push("a backend to send requests to".to_owned());
        }
        if let Some(second) = pipeline.backends.get(1) {
            let message = "only the first backend is used; this one gets no requests";
            problems.warn(Some(&second.place), key, message);
        }
        let backend = found.into_iter().next()??;
        Some(self.backend(backend, missing, problems))
    }

    /// Links a backend that no pipeline uses, without reporting its problems.
    pub(crate) fn unused(&self, backend: &Arc<Backend>) -> LinkedBackend {
        self.backend(Arc::clone(backend), &mut Vec::new(), &mut Problems::default())
    }

    fn backend(
        &self,
        backend: Arc<Backend>,
        missing: &mut Vec<String>,
        problems: &mut Problems,
    ) -> LinkedBackend {
        self.authentication("backend", &backend.name, backend.authentication.as_ref(), missing);
        let service = backend.service.value.as_str();
        let served = |key: &str| self.capabilities.serves_option("backends.*", service, key);
        for option in backend.unserved_options.iter().filter(|option| !served(option.value)) {
            missing.push(format!("the option `{}` of backend `{}`", option.value, backend.name));
        }
        let mut timing = backend.timing.clone();
        let mut connection = Connection::clone(&backend.connection);
        let destination = match backend.service.value.as_str() {
            unserved if !self.capabilities.serves_backend(unserved) => {
                missing.push(format!("the backend service `{}`", unserved.escape_debug()));
                Destination::Unserved
            }
            "echo" => Destination::Echo,
            "http" => {
                let destination =
                    self.http_destination(&backend, &mut connection, &mut timing, missing, problems);
                below_prefix(&backend, destination, missing, problems)
            }
            _ => Destination::Application,
        };
        LinkedBackend { backend, destination, timing, ca_cert: connection.ca_cert }
    }

    /// Finds the destination of an `http` backend: its base URL, its target or its connection settings. What the backend
    /// leaves out of `connection` and `timing` is taken from its target.
    fn http_destination(
        &self,
        backend: &Backend,
        connection: &mut Connection,
        timing: &mut Timing,
        missing: &mut Vec<String>,
        problems: &mut Problems,
    ) -> Destination {
        let key = format!("backends.{}", backend.name);
        if let Some(name) = &backend.target_ref {
            match self.targets.get(&name.value, name.place.source()) {
                Ok(target) => {
                    *connection = connection.with_fallback(&target.connection);
                    *timing = timing.with_fallback(&target.timing);
                    if backend.authentication.is_none() {
                        self.authentication("target", &target.name, target.authentication.as_ref(), missing);
                    }
                    if !target.enabled {
                        missing.push(format!("the target `{}`, which is disabled", target.name));
                        return Destination::Unserved;
                    }
                }
                Err(none) if none.is_empty() && name.value.contains('.') => {
                    let reference = self.providers.reference(name, &format!("{key}.target_ref"), problems);
                    return reference.map_or(Destination::Unserved, Destination::Resource);
                }
                // An error even if there is a base_url: the target may require an authentication.
                Err(_) => {
                    self.targets.find(name, &format!("{key}.target_ref"), problems);
                    return Destination::Unserved;
                }
            }
        }
        if let Some(base) = &backend.base_url {
            return match crate::http::base_url::base_url(&base.value) {
                Ok(url) => Destination::Url(url),
                Err(message) => {
                    problems.error(Some(&base.place), format!("{key}.options.base_url"), message);
                    Destination::Unserved
                }
            };
        }
        if !connection.is_supported() {
            let protocol = connection.protocol.as_ref().map_or("", |p| p.value.as_str());
            missing.push(format!("the protocol `{}` of backend `{}`", protocol.escape_debug(), backend.name));
            return Destination::Unserved;
        }
        match connection.url() {
            Some(Ok(url)) => Destination::Url(url),
            Some(Err(message)) => {
                let place = connection.host.as_ref().map_or(&backend.place, |host| &host.place);
                problems.error(Some(place), format!("{key}.connection"), message);
                Destination::Unserved
            }
            None => {
                problems
                    .error(Some(&backend.place), key, "the http backend has no destination")
                    .help("set options.base_url, target_ref or connection.host");
                Destination::Unserved
            }
        }
    }
}
