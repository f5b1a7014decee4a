//! References and mesh tokens for an application that embeds the host.
//!
//! They come from the caches that the built-in data plane uses: one fetch for concurrent callers, refreshed ahead, and
//! stale only where the contract of providers permits it.

use std::sync::Arc;

use http::HeaderValue;
use provider_api::{Error, Reference};

use crate::http::url_prefix::UrlPrefix;
use crate::plan::MeshPlan;
use crate::snapshot::Snapshot;

impl Snapshot {
    /// Resolves a reference to the URLs of the resource, the preferred one first. Never empty.
    ///
    /// The mode of the resource is not checked: a resource with `mode = "mesh"` accepts only requests with a token, see
    /// [`mesh_authorization`](Self::mesh_authorization).
    ///
    /// While the provider is unavailable, the last resolution is used for at most 7 days. Cancel safe.
    ///
    /// # Errors
    /// [`NotFound`](provider_api::ErrorKind::NotFound), [`Denied`](provider_api::ErrorKind::Denied) and
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) as the provider reports them;
    /// [`Invalid`](provider_api::ErrorKind::Invalid) when requests cannot be sent to the resource, or the reference names a
    /// provider that is not active in this configuration.
    pub async fn resolve(&self, reference: &Reference) -> Result<Arc<[String]>, Arc<Error>> {
        let resolver = self.providers.resolver(reference);
        if resolver.is_none() {
            let message = format!("no active provider `{}` resolves references", reference.provider());
            return Err(Arc::new(Error::invalid(message)));
        }
        let resolved = match self.plans.targets.get(reference) {
            Some(configured) => configured.resolve(&self.providers).await?,
            None => self.plans.references.target(reference).resolve(&self.providers).await?,
        };
        Ok(Arc::clone(&resolved.normalized))
    }

    /// Returns the Authorization header for a request to `url` from a member of `mesh`; marked sensitive. `None` when
    /// `url` is below no ingress of the mesh: send the request without a token.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`NotFound`](provider_api::ErrorKind::NotFound) for a mesh that this configuration does not have,
    /// [`Invalid`](provider_api::ErrorKind::Invalid) when `url` is no URL, else the error of the provider. The request
    /// must then not be sent: authorization fails closed.
    pub async fn mesh_authorization(&self, mesh: &str, url: &str) -> Result<Option<HeaderValue>, Arc<Error>> {
        let mesh = self.mesh(mesh)?;
        let base = UrlPrefix::parse(without_query(url)).map_err(Error::invalid)?;
        match mesh.member(&base, "", &self.providers).await? {
            Some(member) => Ok(Some(mesh.authorization(&member, &self.providers).await?)),
            None => Ok(None),
        }
    }

    fn mesh(&self, name: &str) -> Result<&MeshPlan, Error> {
        let found = self.plans.meshes.iter().find(|mesh| mesh.identity.name == name);
        let missing = || Error::not_found(format!("there is no enabled mesh `{}`", name.escape_debug()));
        found.map(|mesh| &**mesh).ok_or_else(missing)
    }
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
