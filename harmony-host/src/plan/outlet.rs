use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use provider_api::{Error, ErrorKind, Fetch, Fetched, Freshness, Lease, Reference, ResourceType, Valid};
use url::Url;

use crate::http::url_prefix::UrlPrefix;
use crate::plan::mesh::MeshPlan;
use crate::providers::Providers;
use crate::providers::isolate::isolated;
use crate::providers::resolutions::SaidBy;

/// Where requests leave a pipeline.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// The request itself is the answer.
    Echo,
    /// To another server.
    Forward(Box<ForwardPlan>),
    /// Nowhere; the pipeline is not served.
    Nowhere,
}

/// How requests are sent on.
#[derive(Debug)]
pub(crate) struct ForwardPlan {
    pub(crate) backend: Arc<str>,
    pub(crate) to: Destination,
    pub(crate) timeout: Duration,
    pub(crate) max_retries: u32,
    /// The meshes that the egresses of this backend belong to.
    pub(crate) egress: Vec<Arc<MeshPlan>>,
    /// Whether only requests with mesh context may leave here.
    pub(crate) mesh_only: bool,
}

/// Where a backend sends to.
#[derive(Debug)]
pub(crate) enum Destination {
    Url(BaseUrl),
    Resource(Arc<Target>),
}

/// A URL that the paths of requests are appended to.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// The authority as the Host header has it.
    pub(crate) host: HeaderValue,
    /// Without a slash at its end.
    pub(crate) path: String,
    pub(crate) prefix: UrlPrefix,
}

impl BaseUrl {
    pub(crate) fn new(url: &Url) -> Result<Self, String> {
        let prefix = UrlPrefix::of(url)?;
        let host = url.host_str().ok_or("expected a host")?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self {
            host: HeaderValue::from_str(&authority).map_err(|e| e.to_string())?,
            scheme: if url.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP },
            authority: Authority::try_from(authority).map_err(|e| e.to_string())?,
            path: url.path().trim_end_matches('/').to_owned(),
            prefix,
        })
    }
}

/// A resource that requests are sent to, resolved when it is needed and then held.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) reference: Reference,
    lease: Arc<Lease<ResolvedTarget>>,
    /// Where it led before, for when its provider is away; nothing for what is resolved here.
    resolutions: Option<SaidBy>,
}

/// Where a resource can be reached.
#[derive(Debug)]
pub(crate) struct ResolvedTarget {
    /// In the order in which they are tried. Never empty.
    pub(crate) urls: Vec<BaseUrl>,
    /// The same, in their normal form.
    pub(crate) written: Arc<[String]>,
}

impl Target {
    /// What only a former process has resolved is used at once, and asked for in the background.
    pub(crate) fn new(reference: Reference, resolutions: &SaidBy) -> Self {
        let resolutions = (!reference.provider().is_local()).then(|| resolutions.clone());
        let target = Self { reference, lease: Lease::new(), resolutions };
        target.hold(|resolutions| resolutions.recall_former(&target.reference));
        target
    }

    /// Holds what is recalled, for as long as its provider does not answer. Whether there is something.
    fn hold(&self, recall: impl FnOnce(&SaidBy) -> Option<(Vec<String>, Duration)>) -> bool {
        let recalled = self.resolutions.as_ref().and_then(recall);
        let Some((urls, left)) = recalled else { return false };
        let usable = urls.iter().map(|url| base_of(url)).collect::<Result<Vec<_>, _>>();
        let Some(urls) = usable.ok().filter(|urls| !urls.is_empty()) else { return false };
        self.lease.hold_for_now(ResolvedTarget::new(urls), left);
        true
    }

    /// Where the resource can be reached now.
    ///
    /// # Errors
    /// What the provider said, or that the resource has no URL.
    pub(crate) async fn resolve(&self, providers: &Providers) -> Result<Valid<ResolvedTarget>, Arc<Error>> {
        let resolved = self.lease.get(|| self.fetch(providers)).await;
        match resolved {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                if !self.hold(|resolutions| resolutions.recall(&self.reference)) {
                    return Err(error);
                }
                tracing::warn!(reference = %self.reference, %error, "its provider is away; it is followed to where it led last");
                self.lease.held().ok_or(error)
            }
            resolved => resolved,
        }
    }

    fn fetch(&self, providers: &Providers) -> Fetch<ResolvedTarget> {
        let (reference, providers) = (self.reference.clone(), providers.clone());
        let resolutions = self.resolutions.clone();
        Box::pin(isolated(async move {
            let fetched = fetch(&reference, &providers).await;
            match (&fetched, resolutions) {
                (Ok((resolved, _)), Some(resolutions)) => {
                    resolutions.learn(&reference, resolved.written.to_vec())
                }
                (Err(error), Some(resolutions)) if error.kind() != ErrorKind::Unavailable => {
                    resolutions.forget(&reference);
                }
                _ => {}
            }
            fetched
        }))
    }
}

impl ResolvedTarget {
    fn new(urls: Vec<BaseUrl>) -> Self {
        let whole = |url: &BaseUrl| format!("{}://{}{}", url.scheme, url.authority, url.path);
        Self { written: urls.iter().map(whole).collect(), urls }
    }
}

fn base_of(url: &str) -> Result<BaseUrl, String> {
    crate::config::connection::base_url(url).and_then(|url| BaseUrl::new(&url))
}

async fn fetch(reference: &Reference, providers: &Providers) -> Fetched<ResolvedTarget> {
    let resolver = providers.resolver(reference).ok_or_else(|| {
        Error::unavailable(format!("the provider `{}` resolves no references", reference.provider()))
    })?;
    let resolved = resolver.resolve(reference).await?;
    let resource = resolved.resource;
    if !resource.enabled {
        return Err(Error::denied(format!("{reference} is disabled")));
    }
    if !matches!(resource.kind, ResourceType::Ingress | ResourceType::Backend) {
        return Err(Error::invalid(format!(
            "{reference} is a {}: requests cannot be sent there",
            resource.kind
        )));
    }
    let mut urls = Vec::new();
    for url in &resource.urls {
        urls.push(
            base_of(url)
                .map_err(|e| Error::invalid(format!("{reference} has a URL that cannot be used: {e}")))?,
        );
    }
    if urls.is_empty() {
        return Err(Error::invalid(format!("{reference} has no URL")));
    }
    let fresh = match resolved.fresh {
        Freshness::For(time) => time,
        Freshness::UntilReload => Duration::MAX,
    };
    Ok((ResolvedTarget::new(urls), fresh))
}
