//! What a gateway that embeds this one asks from its own request path. The answers come from the caches that this
//! host's own requests use: one fetch however many ask, refreshed ahead, and stale only where the contract lets it be.

use std::sync::Arc;

use http::{HeaderValue, Uri};
use provider_api::{Error, Reference};

use crate::http::path::{owned_segments, strip};
use crate::http::url_prefix::{Scheme, UrlPrefix};
use crate::plan::{Base, MeshPlan};
use crate::snapshot::Snapshot;
use crate::snapshot::admission;

impl Snapshot {
    /// The URLs under which what `reference` names can be reached, the preferred one first. Never empty.
    ///
    /// While its provider is away, where it led last is still good, for at most a week.
    ///
    /// # Errors
    /// [`NotFound`](provider_api::ErrorKind::NotFound), [`Denied`](provider_api::ErrorKind::Denied) and
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) as the provider says;
    /// [`Invalid`](provider_api::ErrorKind::Invalid) when it is nothing that requests can be sent to, or names a
    /// provider that is not active in this configuration.
    pub async fn resolve(&self, reference: &Reference) -> Result<Arc<[String]>, Arc<Error>> {
        let resolver = self.providers.resolver(reference);
        if resolver.is_none() {
            let message = format!("no active provider `{}` resolves references", reference.provider());
            return Err(Arc::new(Error::invalid(message)));
        }
        let configured = self.plans.targets.get(reference).map(Arc::clone);
        let target = configured.unwrap_or_else(|| self.plans.asked.target(reference));
        let resolved = target.resolve(&self.providers).await?;
        Ok(Arc::clone(&resolved.written))
    }

    /// The Authorization header with which a request to `url` is one from within `mesh`; marked sensitive. `None` when
    /// `url` is below no ingress of the mesh: then the request is sent without.
    ///
    /// # Errors
    /// [`NotFound`](provider_api::ErrorKind::NotFound) for a mesh that this configuration does not have,
    /// [`Invalid`](provider_api::ErrorKind::Invalid) for what is no URL, else what the provider says. The request must
    /// then not be sent: authorization fails closed.
    pub async fn mesh_authorization(&self, mesh: &str, url: &str) -> Result<Option<HeaderValue>, Arc<Error>> {
        let mesh = self.mesh(mesh)?;
        let base = UrlPrefix::parse(without_query(url)).map_err(Error::invalid)?;
        match mesh.member(&base, "", &self.providers).await? {
            Some(member) => Ok(Some(mesh.authorization(&member, &self.providers).await?)),
            None => Ok(None),
        }
    }

    /// The sender, a gateway as its provider names it, of a token that came with a request for `url`, when it is a good token of `mesh` for there. `url` is
    /// what was asked for, with the host the client wrote; a query makes no difference.
    ///
    /// A token that was found good for an ingress of this gateway is known at once the next time.
    ///
    /// # Errors
    /// [`NotFound`](provider_api::ErrorKind::NotFound) for a mesh that this configuration does not have,
    /// [`Denied`](provider_api::ErrorKind::Denied) for every token that is not good,
    /// [`Unavailable`](provider_api::ErrorKind::Unavailable) when the keys to judge it cannot be had. Whatever it is, the
    /// request has no mesh context.
    pub async fn verify_mesh_token(
        &self,
        mesh: &str,
        url: &str,
        token: &str,
    ) -> Result<Arc<str>, Arc<Error>> {
        let mesh = self.mesh(mesh)?;
        let asked = without_query(url);
        let denied =
            |why: &str| Arc::new(Error::denied(format!("the URL asked for cannot be judged: {why}")));
        let uri: Uri = asked.parse().map_err(|_| denied("it is none"))?;
        let (scheme, authority) = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => (Scheme::Http, authority.as_str()),
            (Some("https"), Some(authority)) => (Scheme::Https, authority.as_str()),
            _ => return Err(denied("it does not begin with http or https and a host")),
        };
        let path = uri.path();
        // What stands for two paths at once would be verified as one and served as the other.
        owned_segments(path).map_err(|bad| denied(bad.as_str()))?;
        let origin =
            UrlPrefix::parse(&format!("{}://{authority}", scheme.as_str())).map_err(|why| denied(&why))?;
        let ingress = mesh.members.iter().filter(|member| member.url.covers(&origin, path));
        let ingress = ingress.max_by_key(|member| member.url.segments().len());
        let end = ingress.and_then(|member| strip(path, member.url.segments())).unwrap_or(path.len());
        let base = Base { scheme, authority, prefix: path.get(..end).unwrap_or(path) };
        match mesh.verified.sender(token, &base) {
            Some(sender) => Ok(sender),
            None => Ok(admission::verify(mesh, &self.providers, token, &base, path).await?),
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
