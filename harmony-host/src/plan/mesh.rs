use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use provider_api::{Error, MeshIdentity, ProviderName, TokenRequest};

use crate::config::LinkedMesh;
use crate::lease::{Fetch, Lease};
use crate::plan::outlet::{ResolvedTarget, Target};
use crate::providers::Providers;
use crate::url_prefix::UrlPrefix;

/// A mesh that requests may come from or go to.
#[derive(Debug)]
pub(crate) struct MeshPlan {
    pub(crate) identity: Arc<MeshIdentity>,
    pub(crate) provider: ProviderName,
    /// The ingresses whose URLs are known.
    pub(crate) members: Vec<Arc<Member>>,
    /// The ingresses whose URLs have to be resolved.
    pub(crate) remote: Vec<Arc<Target>>,
    sender: Arc<str>,
}

/// An ingress that tokens are issued for.
pub(crate) struct Member {
    pub(crate) url: UrlPrefix,
    token: Arc<Lease<HeaderValue>>,
}

/// Tokens are not used in the last seconds of their life: the request still has to get there.
const EXPIRY_MARGIN: std::time::Duration = std::time::Duration::from_secs(10);

impl MeshPlan {
    pub(crate) fn new(
        linked: &LinkedMesh,
        sender: &Arc<str>,
        mut remote: impl FnMut(&provider_api::Reference) -> Arc<Target>,
    ) -> Self {
        Self {
            identity: Arc::clone(&linked.identity),
            provider: linked.provider.clone(),
            members: linked.urls.iter().cloned().map(Member::new).map(Arc::new).collect(),
            remote: linked.remote.iter().map(&mut remote).collect(),
            sender: Arc::clone(sender),
        }
    }

    /// The ingress of this mesh that a request to `path` below `base` reaches. The most specific one.
    ///
    /// # Errors
    /// When that depends on references that cannot be resolved now.
    pub(crate) async fn member(
        &self,
        base: &UrlPrefix,
        path: &str,
        providers: &Providers,
    ) -> Result<Option<Arc<Member>>, Arc<Error>> {
        let longest = |a: &Arc<Member>, b: &Arc<Member>| a.url.segments().len().cmp(&b.url.segments().len());
        let known = self.members.iter().filter(|m| m.url.covers(base, path)).max_by(|a, b| longest(a, b));
        if let Some(member) = known {
            return Ok(Some(Arc::clone(member)));
        }
        let mut unresolved = None;
        for target in &self.remote {
            match target.resolve(providers).await {
                Ok(resolved) => {
                    if let Some(member) = resolved.member(base, path) {
                        return Ok(Some(member));
                    }
                }
                // It may be the one: sending without its token would be a guess.
                Err(error) => unresolved = Some(error),
            }
        }
        unresolved.map_or(Ok(None), Err)
    }

    /// The Authorization header for a request to `member`.
    ///
    /// # Errors
    /// What the provider said.
    pub(crate) async fn authorization(
        &self,
        member: &Member,
        providers: &Providers,
    ) -> Result<HeaderValue, Arc<Error>> {
        let valid = member.token.get(|| self.issue(member, providers)).await?;
        Ok((*valid).clone())
    }

    fn issue(&self, member: &Member, providers: &Providers) -> Fetch<HeaderValue> {
        let request = TokenRequest {
            mesh: self.identity.as_ref().clone(),
            destination: member.url.as_str().to_owned(),
            sender: self.sender.to_string(),
        };
        let (providers, provider) = (providers.clone(), self.provider.clone());
        Box::pin(async move {
            let auth = providers.mesh_auth(&provider).ok_or_else(|| {
                Error::unavailable(format!("the provider `{provider}` issues no mesh tokens"))
            })?;
            let issued = auth.issue(&request).await?;
            let left = providers.time_until(issued.expires_at);
            let mut header =
                HeaderValue::try_from(format!("Bearer {}", issued.token.expose())).map_err(|_| {
                    Error::unavailable(format!("the provider `{provider}` issued what is no token"))
                })?;
            header.set_sensitive(true);
            Ok((header, left.saturating_sub(EXPIRY_MARGIN)))
        })
    }
}

impl Member {
    pub(crate) fn new(url: UrlPrefix) -> Self {
        Self { url, token: Lease::new() }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("url", &self.url).finish_non_exhaustive()
    }
}

impl ResolvedTarget {
    /// The member that a request to `path` below `base` reaches.
    pub(crate) fn member(&self, base: &UrlPrefix, path: &str) -> Option<Arc<Member>> {
        self.members.iter().find(|member| member.url.covers(base, path)).cloned()
    }
}
