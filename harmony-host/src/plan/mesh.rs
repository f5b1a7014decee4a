//! Meshes: their members, and the caches of issued and verified tokens.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use provider_api::{
    Error, ErrorKind, Expected, Fetch, Lease, MeshIdentity, PerThread, ProviderName, Reference, TokenRequest,
};

use crate::cache::{BoundedCache, Cached};
use crate::config::LinkedMesh;
use crate::http::url_prefix::UrlPrefix;
use crate::metrics::CacheCounters;
use crate::plan::destination::Destination;
use crate::plan::target::Target;
use crate::plan::token_cache::{Moment, Sender, VerifiedTokens};
use crate::providers::Providers;
use crate::providers::isolate::isolated;

/// A mesh that requests may come from or go to.
#[derive(Debug)]
pub(crate) struct MeshPlan {
    pub(crate) identity: Arc<MeshIdentity>,
    pub(crate) provider: ProviderName,
    /// The ingresses with URLs in the configuration.
    pub(crate) members: Vec<Arc<Member>>,
    /// The ingresses that are references.
    pub(crate) remote: Vec<Arc<Target>>,
    /// The references in the list `egress`: requests of every pipeline to them carry a token of this mesh.
    destinations: Vec<Arc<Destination>>,
    /// The ingresses that references resolved to, by URL. Each mesh has its own: a token is for one mesh.
    resolved: Arc<BoundedCache<UrlPrefix, Member>>,
    /// The verified tokens of its members.
    pub(crate) verified: Arc<VerifiedTokens>,
    /// The counters of the tokens that were issued to this gateway.
    pub(crate) issued: Arc<CacheCounters>,
    sender: Arc<str>,
}

/// An ingress that tokens are issued for.
pub(crate) struct Member {
    pub(crate) url: UrlPrefix,
    token: Arc<Lease<Issued>>,
}

/// An issued token as a header.
struct Issued {
    /// Counted per thread, since every request to the member clones it.
    header: PerThread<HeaderValue>,
    /// The moment on the wall clock from which it is no longer used. The clock of the lease stands still while the machine
    /// is suspended.
    until: SystemTime,
}

/// A member of a mesh: one of the configuration, or one that a reference resolved to.
#[derive(Debug)]
pub(crate) enum MemberRef<'a> {
    Configured(&'a Member),
    Resolved(Cached<UrlPrefix, Member>),
}

impl Deref for MemberRef<'_> {
    type Target = Member;

    fn deref(&self) -> &Member {
        match self {
            Self::Configured(member) => member,
            Self::Resolved(member) => member,
        }
    }
}

/// The time before its expiry from which a token is no longer used: the request must reach the other gateway before it.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

/// The most resolved ingresses whose tokens a mesh caches.
const MAX_RESOLVED: usize = 1024;

impl MeshPlan {
    /// Creates the plan of a mesh. `before` is the plan of the same mesh in the previous snapshot, if its tokens are as good
    /// in this one: they are taken over, and so is the whole plan if the mesh has the same ingresses and destinations.
    pub(crate) fn new(
        linked: &LinkedMesh,
        sender: &Arc<str>,
        mut target: impl FnMut(&Reference) -> Arc<Target>,
        before: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        let remote: Vec<_> = linked.remote.iter().map(&mut target).collect();
        let destinations: Vec<_> = linked.destinations.iter().map(&mut target).collect();
        let Some(before) = before else {
            return Arc::new(Self {
                identity: Arc::clone(&linked.identity),
                provider: linked.provider.clone(),
                members: linked.urls.iter().cloned().map(Member::new).map(Arc::new).collect(),
                remote,
                destinations: destinations.into_iter().map(Destination::new).map(Arc::new).collect(),
                resolved: Arc::new(BoundedCache::new(MAX_RESOLVED)),
                verified: Arc::default(),
                issued: Arc::default(),
                sender: Arc::clone(sender),
            });
        };
        if before.has(&linked.urls, &remote, &destinations) {
            return Arc::clone(before);
        }
        let members: HashMap<_, _> = before.members.iter().map(|member| (&member.url, member)).collect();
        let member = |url: &UrlPrefix| match members.get(url) {
            Some(member) => Arc::clone(member),
            None => Arc::new(Member::new(url.clone())),
        };
        let known: HashMap<_, _> =
            before.destinations.iter().map(|known| (Arc::as_ptr(known.target()), known)).collect();
        let destination = |target: Arc<Target>| match known.get(&Arc::as_ptr(&target)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Destination::new(target)),
        };
        Arc::new(Self {
            identity: Arc::clone(&linked.identity),
            provider: linked.provider.clone(),
            members: linked.urls.iter().map(member).collect(),
            remote,
            destinations: destinations.into_iter().map(destination).collect(),
            resolved: Arc::clone(&before.resolved),
            verified: Arc::clone(&before.verified),
            issued: Arc::clone(&before.issued),
            sender: Arc::clone(sender),
        })
    }

    /// Returns true if the mesh has these ingresses and destinations, in this order.
    fn has(&self, urls: &[UrlPrefix], remote: &[Arc<Target>], destinations: &[Arc<Target>]) -> bool {
        self.members.iter().map(|member| &member.url).eq(urls)
            && self.remote.iter().map(Arc::as_ptr).eq(remote.iter().map(Arc::as_ptr))
            && self
                .destinations
                .iter()
                .map(|destination| Arc::as_ptr(destination.target()))
                .eq(destinations.iter().map(Arc::as_ptr))
    }

    /// Forgets the tokens that were issued to this gateway: it has another credential.
    pub(crate) fn forget_issued(&self) {
        self.members.iter().for_each(|member| member.token.clear());
        self.resolved.for_each(|member| member.token.clear());
    }

    /// Finds the ingress of this mesh that a request to `path` below `base` reaches: the most specific one in the
    /// configuration, else the first that a reference resolves to.
    ///
    /// # Errors
    /// Unavailable when a reference that might be this ingress cannot be resolved now.
    pub(crate) async fn member(
        &self,
        base: &UrlPrefix,
        path: &str,
        providers: &Providers,
    ) -> Result<Option<MemberRef<'_>>, Arc<Error>> {
        let covering = self.members.iter().filter(|member| member.url.covers(base, path));
        if let Some(known) = covering.max_by_key(|member| member.url.segments().len()) {
            return Ok(Some(MemberRef::Configured(known)));
        }
        self.resolved_member(self.remote.iter(), base, path, providers).await
    }

    /// Returns false when no request below `base` reaches an ingress of this mesh. One by reference may be anywhere.
    pub(crate) fn may_reach(&self, base: &UrlPrefix) -> bool {
        let near = |member: &Arc<Member>| member.url.covers(base, "") || base.covers(&member.url, "");
        !self.remote.is_empty() || self.has_destinations() || self.members.iter().any(near)
    }

    /// Returns true when a list of destinations is configured.
    pub(crate) fn has_destinations(&self) -> bool {
        !self.destinations.is_empty()
    }

    /// Finds the destination that a request to `path` below `base` reaches.
    ///
    /// # Errors
    /// Unavailable when a reference that might be this destination cannot be resolved now.
    pub(crate) async fn destination(
        &self,
        base: &UrlPrefix,
        path: &str,
        providers: &Providers,
    ) -> Result<Option<MemberRef<'_>>, Arc<Error>> {
        let targets = self.destinations.iter().map(|destination| destination.target());
        self.resolved_member(targets, base, path, providers).await
    }

    /// Finds the same among the destinations whose URLs are known: a backend with a URL of its own is served while a
    /// control plane is away.
    pub(crate) async fn known_destination(
        &self,
        base: &UrlPrefix,
        path: &str,
        providers: &Providers,
    ) -> Option<MemberRef<'_>> {
        for destination in &self.destinations {
            let known = destination.known(providers).await;
            if let Some(url) = known.as_deref().and_then(|resolved| resolved.covering(base, path)) {
                return Some(self.resolved(url));
            }
        }
        None
    }

    async fn resolved_member(
        &self,
        targets: impl Iterator<Item = &Arc<Target>>,
        base: &UrlPrefix,
        path: &str,
        providers: &Providers,
    ) -> Result<Option<MemberRef<'_>>, Arc<Error>> {
        let mut unknown = None;
        for target in targets {
            match target.resolve(providers).await {
                Ok(resolved) => {
                    if let Some(url) = resolved.covering(base, path) {
                        return Ok(Some(self.resolved(url)));
                    }
                }
                // The URL may be this ingress: the request must not go there without a token.
                Err(error) if error.kind() == ErrorKind::Unavailable => unknown = Some(error),
                // The resource does not exist, or this gateway may not use it or cannot send requests to it.
                Err(error) => {
                    tracing::debug!(reference = %target.reference, %error, "a reference is no member of the mesh")
                }
            }
        }
        unknown.map_or(Ok(None), Err)
    }

    /// Returns the member at a resolved URL. A full cache evicts one that was not used for long; its token is issued again
    /// later.
    fn resolved(&self, url: &UrlPrefix) -> MemberRef<'_> {
        MemberRef::Resolved(self.resolved.get_or_insert(url, || Member::new(url.clone())))
    }

    /// Verifies a token for a request to `rest` below `url`, an ingress URL of this gateway, and returns its sender. A
    /// token that is valid for the ingress URL is valid for everything below and is cached; one that is valid for the URL
    /// of this request only is verified each time.
    ///
    /// # Errors
    /// Denied for a token that is not valid, Unavailable when the keys to verify it cannot be fetched.
    pub(crate) async fn verify(
        &self,
        providers: &Providers,
        token: &str,
        url: &str,
        rest: &str,
    ) -> Result<Sender, Error> {
        let provider = &self.provider;
        let auth = providers
            .mesh_auth(provider)
            .ok_or_else(|| Error::denied(format!("the provider `{provider}` verifies no mesh tokens")))?;
        let check =
            async |url: &str| isolated(auth.verify(&Expected { mesh: &self.identity, url }, token)).await;
        // Without a URL of its own this gateway is no audience, whatever the path.
        let requested = if url.is_empty() { String::new() } else { format!("{url}{rest}") };
        let claims = check(&requested).await;
        self.verified.counters.fetched(claims.as_ref().err());
        let claims = claims?;
        let sender: Arc<str> = Arc::from(claims.subject);
        if requested == url || check(url).await.is_ok() {
            self.verified.remember(token, url, &sender, claims.expires_at, Moment::now(providers.now()));
        }
        Ok(Sender::from(sender))
    }

    /// Returns the Authorization header for a request to `member`.
    ///
    /// # Errors
    /// The error of the provider.
    pub(crate) async fn authorization(
        &self,
        member: &Member,
        providers: &Providers,
    ) -> Result<HeaderValue, Arc<Error>> {
        self.issued.lookups.get().inc();
        let is_usable = |issued: &Issued| providers.now() < issued.until;
        let valid = member.token.get_if(is_usable, || self.issue(member, providers)).await?;
        Ok(valid.header.get().clone())
    }

    fn issue(&self, member: &Member, providers: &Providers) -> Fetch<Issued> {
        let request = TokenRequest {
            mesh: self.identity.as_ref().clone(),
            destination: member.url.as_str().to_owned(),
            sender: self.sender.to_string(),
        };
        let (providers, provider, counters) =
            (providers.clone(), self.provider.clone(), Arc::clone(&self.issued));
        Box::pin(isolated(async move {
            let auth = providers.mesh_auth(&provider).ok_or_else(|| {
                Error::unavailable(format!("the provider `{provider}` issues no mesh tokens"))
            })?;
            let issued = auth.issue(&request).await;
            counters.fetched(issued.as_ref().err());
            let issued = issued?;
            let until = issued.expires_at.checked_sub(EXPIRY_MARGIN).unwrap_or(SystemTime::UNIX_EPOCH);
            let mut header = HeaderValue::from_str(&format!("Bearer {}", issued.token.expose()));
            let header = header.as_mut().map_err(|_| {
                Error::unavailable(format!(
                    "the provider `{provider}` issued a token that is no HTTP header value"
                ))
            })?;
            header.set_sensitive(true);
            // Copies of the bytes: clones of one header share its count.
            let header = PerThread::new(|| sensitive_copy(header));
            Ok((Issued { header, until }, providers.time_until(until)))
        }))
    }
}

/// Copies the bytes of a header.
fn sensitive_copy(header: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(header.as_bytes()).unwrap_or_else(|_| header.clone());
    copy.set_sensitive(true);
    copy
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
