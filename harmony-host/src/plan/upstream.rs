//! Upstreams: the destinations of the requests of a pipeline.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use provider_api::Error;

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
    /// The meshes that the egresses of this backend belong to.
    pub(crate) egress: Vec<Arc<MeshPlan>>,
    /// Set when only requests with mesh context may leave here.
    pub(crate) mesh_only: bool,
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

impl HttpUpstream {
    /// Returns the base URLs; a reference is resolved.
    ///
    /// # Errors
    /// The error of the provider.
    pub(crate) async fn base_urls(&self, providers: &Providers) -> Result<BaseUrls<'_>, Arc<Error>> {
        Ok(match &self.location {
            Location::Url(base) => BaseUrls::Configured(base),
            Location::Resource(target) => BaseUrls::Resolved(target.resolve(providers).await?),
        })
    }

    /// Returns the Authorization header for a request to `rest` below `base`: a mesh token, when that URL belongs to a
    /// member of a mesh of an egress.
    ///
    /// # Errors
    /// The error of the provider; the request must then not be sent.
    pub(crate) async fn authorization(
        &self,
        base: &BaseUrl,
        rest: &str,
        providers: &Providers,
    ) -> Result<Option<HeaderValue>, Arc<Error>> {
        for mesh in &self.egress {
            if let Some(member) = mesh.member(&base.prefix, rest, providers).await? {
                return Ok(Some(mesh.authorization(&member, providers).await?));
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
