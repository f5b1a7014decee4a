//! Upstreams: the destinations of the requests of a pipeline.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use provider_api::{Error, Mode, Reference};

use crate::http::url_prefix::UrlPrefix;
use crate::plan::authorities::Authorities;
use crate::plan::base_url::BaseUrl;
use crate::plan::mesh::MeshPlan;
use crate::plan::target::{ResolvedTarget, Target};
use crate::providers::Providers;

/// The destination of the requests of a pipeline.
#[derive(Debug)]
pub(crate) enum Upstream {
    /// The gateway itself: it answers with the request.
    Echo,
    /// Another HTTP server.
    Http(Box<HttpUpstream>),
    /// A service of the application that embeds the host.
    Application,
    /// The pipeline has no backend, or one that is not served.
    None,
}

impl Upstream {
    /// Returns the resource that requests are sent to, if it is named by a reference.
    pub(super) fn target(&self) -> Option<&Arc<Target>> {
        match self {
            Self::Http(upstream) => match &upstream.location {
                Location::Resource(target) => Some(target),
                Location::Url(_) => None,
            },
            Self::Echo | Self::Application | Self::None => None,
        }
    }
}

/// An HTTP server, and how requests are sent to it.
#[derive(Debug)]
pub(crate) struct HttpUpstream {
    /// The name of the backend.
    pub(crate) backend: Arc<str>,
    pub(crate) location: Location,
    /// The certificate authorities that are trusted for it, besides those of the system.
    pub(crate) authorities: Option<Arc<Authorities>>,
    /// The longest time without a byte from the server.
    pub(crate) timeout: Duration,
    pub(crate) max_retries: u32,
    /// The protocols that clients may switch to.
    pub(crate) upgrades: Vec<String>,
    /// The meshes that the egresses of this backend belong to.
    pub(crate) egress: Vec<Arc<MeshPlan>>,
    /// The other meshes that have destinations: a request to one of those carries a token, whichever name or URL the
    /// backend gives it.
    pub(crate) other_meshes: Vec<Arc<MeshPlan>>,
    /// Set when only requests with mesh context may leave here.
    pub(crate) mesh_only: bool,
    /// Set when no request may leave here without a mesh token: the pipeline has `mesh_auth` for its egress.
    pub(crate) token_only: bool,
    /// The URLs that every request must be sent below: the `destination_url` of `mesh_auth`.
    pub(crate) only_below: Vec<UrlPrefix>,
}

/// The location of a backend.
#[derive(Debug)]
pub(crate) enum Location {
    Url(BaseUrl),
    Resource(Arc<Target>),
}

/// The base URLs of a backend at one moment, in the order in which they are tried. Never empty.
#[derive(Debug)]
pub(crate) enum BaseUrls<'a> {
    Configured(&'a BaseUrl),
    Resolved(provider_api::Valid<ResolvedTarget>),
}

impl BaseUrls<'_> {
    pub(crate) fn as_slice(&self) -> &[BaseUrl] {
        match self {
            Self::Configured(base) => std::slice::from_ref(*base),
            Self::Resolved(target) => &target.urls,
        }
    }
}

/// The reason for which a request may not be sent to a backend.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// The request needs a token, since the destination admits members of a mesh only or the pipeline requires one, and no
    /// mesh of this gateway has the destination.
    NoMesh(String),
    /// A provider failed.
    Provider(Arc<Error>),
}

impl From<Arc<Error>> for NotSent {
    fn from(error: Arc<Error>) -> Self {
        Self::Provider(error)
    }
}

impl HttpUpstream {
    /// Returns the base URLs; a reference is resolved.
    ///
    /// # Errors
    /// The error of the provider.
    pub(crate) async fn base_urls(&self, providers: &Providers) -> Result<BaseUrls<'_>, Arc<Error>> {
        Ok(match &self.location {
            Location::Url(base) => BaseUrls::Configured(base),
            // The box keeps the state out of that of each request.
            Location::Resource(target) => BaseUrls::Resolved(Box::pin(target.resolve(providers)).await?),
        })
    }

    /// Returns the Authorization header for a request to `rest` below `base`, one of `bases`: a mesh token, when that URL
    /// belongs to a member of a mesh of an egress, or to a destination of any mesh.
    ///
    /// # Errors
    /// The request must then not be sent: it needs a token and there is none, or that cannot be told now.
    pub(crate) async fn authorization(
        &self,
        bases: &BaseUrls<'_>,
        base: &BaseUrl,
        rest: &str,
        providers: &Providers,
    ) -> Result<Option<HeaderValue>, NotSent> {
        if self.only_below.iter().any(|url| !url.covers(&base.prefix, rest)) {
            let message = format!(
                "requests of backend `{}` are sent below the `destination_url` of its `mesh_auth` only",
                self.backend
            );
            return Err(NotSent::NoMesh(message));
        }
        if !self.egress.is_empty() || !self.other_meshes.is_empty() {
            // The box keeps the state out of that of each request.
            let token = Box::pin(self.token(bases, base, rest, providers)).await?;
            if token.is_some() {
                return Ok(token);
            }
        }
        if let (Location::Resource(target), BaseUrls::Resolved(resolved)) = (&self.location, bases) {
            check_mode(resolved.mode, &self.backend, &target.reference)?;
        }
        if self.token_only {
            let message = format!(
                "requests of backend `{}` need a mesh token, and the URL is no destination of a mesh that its `mesh_auth` accepts",
                self.backend
            );
            return Err(NotSent::NoMesh(message));
        }
        Ok(None)
    }

    /// Returns the mesh token for a request, if the URL belongs to a member or a destination of a mesh.
    async fn token(
        &self,
        bases: &BaseUrls<'_>,
        base: &BaseUrl,
        rest: &str,
        providers: &Providers,
    ) -> Result<Option<HeaderValue>, Arc<Error>> {
        for mesh in &self.egress {
            if let Some(member) = mesh.member(&base.prefix, rest, providers).await? {
                return mesh.authorization(&member, providers).await.map(Some);
            }
        }
        for mesh in &self.other_meshes {
            let found = match bases {
                BaseUrls::Configured(_) if !self.token_only => {
                    mesh.known_destination(&base.prefix, rest, providers).await
                }
                _ => mesh.destination(&base.prefix, rest, providers).await?,
            };
            if let Some(member) = found {
                return mesh.authorization(&member, providers).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Returns the message for a request that has no mesh context and needs one.
    pub(crate) fn refusal(&self) -> String {
        format!(
            "backend `{}` is reached through an egress with `mode = \"mesh\"`, and the request came without mesh context",
            self.backend
        )
    }
}

/// Checks that a request without a token may be sent to a resource.
fn check_mode(mode: Option<Mode>, backend: &str, reference: &Reference) -> Result<(), NotSent> {
    match mode {
        Some(Mode::Default) => Ok(()),
        Some(Mode::Mesh) => Err(NotSent::NoMesh(format!(
            "backend `{backend}`: {reference} has `mode = \"mesh\"`, and this gateway has no mesh in common with it"
        ))),
        None => Err(NotSent::Provider(Arc::new(Error::unavailable(format!(
            "the admission mode of {reference} is not known until its provider answers"
        ))))),
    }
}

#[cfg(test)]
mod tests {
    use provider_api::ErrorKind;

    use super::*;

    /// The URLs that a version without the mode has saved are not enough to send a request: the mode is unknown.
    #[test]
    fn unknown_mode_sends_nothing() {
        let reference: Reference = "runbeam.acme.ingress.name.a".parse().unwrap();
        let check = |mode| check_mode(mode, "b", &reference);
        assert!(check(Some(Mode::Default)).is_ok());
        assert!(matches!(check(Some(Mode::Mesh)), Err(NotSent::NoMesh(_))));
        let unknown = check(None).unwrap_err();
        assert!(matches!(unknown, NotSent::Provider(error) if error.kind() == ErrorKind::Unavailable));
    }
}
