//! Targets: resources that requests are sent to by reference.

use std::sync::Arc;
use std::time::Duration;

use provider_api::{Error, ErrorKind, Fetch, Fetched, Freshness, Lease, Reference, ResourceType, Valid};

use crate::plan::base_url::BaseUrl;
use crate::providers::Providers;
use crate::providers::isolate::isolated;
use crate::providers::resolutions::SaidBy;

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
        let usable = urls.iter().map(|url| BaseUrl::parse(url)).collect::<Result<Vec<_>, _>>();
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
            BaseUrl::parse(url)
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
