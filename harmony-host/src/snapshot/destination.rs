//! Destinations of admitted requests.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::plan::Upstream;
use crate::snapshot::{AdmissionError, Admitted, MeshDenial, Snapshot};

/// The destination of an admitted request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Destination {
    /// The URLs, in the order in which to try them. Never empty.
    pub urls: Vec<DestinationUrl>,
    /// The longest time to wait for a byte from the backend.
    pub timeout: Duration,
    /// Certificate authorities in PEM that are trusted for these URLs besides those of the system, from `ca_cert_path`.
    pub ca_certificates: Option<Arc<str>>,
    /// The most retries, for requests that are safe to repeat.
    pub max_retries: u32,
}

/// A URL that a request is sent to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DestinationUrl {
    /// The URL of the backend with the path of the request, without the query of the request.
    pub url: String,
    /// The Authorization header: a mesh token, when the URL belongs to a member of a mesh of the pipeline's egress. Marked
    /// sensitive. Replaces the Authorization header of the request.
    pub authorization: Option<HeaderValue>,
}

impl Snapshot {
    /// Resolves the destination of an admitted request: the URLs of the pipeline's backend, each with its mesh token.
    /// `None` when the backend is not an HTTP server but `echo` or a service of the application.
    ///
    /// References are resolved once and refreshed ahead; while their provider is unavailable, the last resolution is used
    /// for at most 7 days. Tokens are cached until shortly before they expire. Cancel safe.
    ///
    /// # Errors
    /// [`NoMeshContext`](AdmissionError::NoMeshContext) when the request leaves through an egress with
    /// `mode = "mesh"` and has no mesh context, goes to a resource with `mode = "mesh"` that has no mesh in common with
    /// this gateway, or needs a token by `mesh_auth` and goes to no destination of its mesh;
    /// [`Provider`](AdmissionError::Provider) when a reference cannot be resolved or a token cannot be issued. The request
    /// must then not be sent.
    pub async fn destination(&self, admitted: &Admitted<'_>) -> Result<Option<Destination>, AdmissionError> {
        let Upstream::Http(upstream) = &admitted.route.pipeline.upstream else { return Ok(None) };
        if upstream.mesh_only && admitted.mesh.is_none() {
            return Err(AdmissionError::NoMeshContext(MeshDenial::of_egress(upstream.refusal())));
        }
        let mut urls = Vec::new();
        let bases = upstream.base_urls(&self.providers).await?;
        for base in bases.as_slice() {
            let authorization = upstream.authorization(&bases, base, &admitted.rest, &self.providers).await?;
            let url = format!("{}://{}{}", base.scheme, base.authority, base.join(&admitted.rest));
            urls.push(DestinationUrl { url, authorization });
        }
        let ca_certificates = upstream.authorities.as_ref().map(|authorities| Arc::clone(&authorities.pem));
        let (timeout, max_retries) = (upstream.timeout, upstream.max_retries);
        Ok(Some(Destination { urls, timeout, ca_certificates, max_retries }))
    }
}
