//! Targets: the resources that requests are sent to by reference.

use std::sync::Arc;
use std::time::Duration;

use provider_api::{
    Error, ErrorKind, Fetch, Fetched, Freshness, Lease, Mode, Reference, ResourceType, Valid,
};

use tokio::time::Instant;

use crate::http::url_prefix::UrlPrefix;
use crate::plan::base_url::BaseUrl;
use crate::providers::Providers;
use crate::providers::isolate::isolated;
use crate::providers::resolutions::{CachedResolution, ProviderResolutions};

/// A resource that requests are sent to by reference. Resolved when first needed, then cached and refreshed ahead.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) reference: Reference,
    lease: Arc<Lease<ResolvedTarget>>,
    /// The cached resolutions for when the provider is unavailable; `None` for local references, which always resolve.
    resolutions: Option<ProviderResolutions>,
}

/// The URLs and the admission mode of a resource.
#[derive(Debug)]
pub(crate) struct ResolvedTarget {
    /// In the order in which they are tried. Never empty.
    pub(crate) urls: Vec<BaseUrl>,
    /// The same as text, in their normal form.
    pub(crate) normalized: Arc<[String]>,
    /// The admission mode. `None` when a version that did not save it has saved the resolution.
    pub(crate) mode: Option<Mode>,
}

impl Target {
    /// Creates a target. A resolution of the previous process is used at once and refreshed in the background, so that
    /// a restart needs no provider to serve.
    pub(crate) fn new(reference: Reference, resolutions: &ProviderResolutions) -> Self {
        let resolutions = (!reference.provider().is_local()).then(|| resolutions.clone());
        let target = Self { reference, lease: Lease::new(), resolutions };
        target.use_cached(|resolutions| resolutions.get_from_previous_process(&target.reference));
        target
    }

    /// Puts a cached resolution into the lease until the provider answers again. Returns false when there is none.
    fn use_cached(
        &self,
        find: impl FnOnce(&ProviderResolutions) -> Option<(CachedResolution, Duration)>,
    ) -> bool {
        let cached = self.resolutions.as_ref().and_then(find);
        let Some((cached, left)) = cached else { return false };
        let usable = cached.urls.iter().map(|url| BaseUrl::parse(url)).collect::<Result<Vec<_>, _>>();
        let Some(urls) = usable.ok().filter(|urls| !urls.is_empty()) else { return false };
        self.lease.hold_for_now(ResolvedTarget::new(urls, cached.mode), left);
        true
    }

    /// Resolves the reference.
    ///
    /// # Errors
    /// The error of the provider, or Invalid for a resource that requests cannot be sent to.
    pub(crate) async fn resolve(&self, providers: &Providers) -> Result<Valid<ResolvedTarget>, Arc<Error>> {
        if let Some(resolutions) = &self.resolutions {
            resolutions.counters().lookups.get().inc();
        }
        let resolved = self.lease.get(|| self.fetch(providers)).await;
        match resolved {
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                if !self.use_cached(|resolutions| resolutions.get(&self.reference)) {
                    return Err(error);
                }
                tracing::warn!(reference = %self.reference, %error, "the provider is unavailable; its last known URLs are used");
                self.lease.held().ok_or(error)
            }
            resolved => resolved,
        }
    }

    /// Returns the resolution if it is cached, at most 7 days old. Starts a refresh in the background when one is due.
    pub(crate) async fn known(&self, providers: &Providers) -> Option<Valid<ResolvedTarget>> {
        if self.lease.held().is_none() && !self.use_cached(|resolutions| resolutions.get(&self.reference)) {
            return None;
        }
        self.lease.get(|| self.fetch(providers)).await.ok()
    }

    /// Returns the last answer of a remote provider, and the time for which it may still be used without the provider.
    pub(crate) fn cached(&self) -> Option<(CachedResolution, Duration)> {
        self.resolutions.as_ref()?.get(&self.reference)
    }

    /// Returns true for a reference of a remote provider whose resolution is cached.
    pub(crate) fn is_held(&self) -> bool {
        self.resolutions.is_some() && self.lease.held().is_some()
    }

    /// Resolves the reference again, unless it was resolved after the moment `changed`. A cached resolution stays if the
    /// provider is unavailable, and ends if the provider no longer has the resource or denies it.
    pub(crate) async fn resolve_again(&self, providers: &Providers, changed: Instant) {
        if !self.is_held() {
            return;
        }
        let outcome = self.lease.newer(changed.elapsed(), || self.fetch(providers)).await;
        if let Err(error) = outcome {
            tracing::debug!(reference = %self.reference, %error, "a reference was not resolved again");
        }
    }

    /// Forgets the resolution, except for the time in which the provider is unavailable.
    pub(crate) fn forget(&self) {
        if self.resolutions.is_some() {
            self.lease.clear();
        }
    }

    fn fetch(&self, providers: &Providers) -> Fetch<ResolvedTarget> {
        let (reference, providers) = (self.reference.clone(), providers.clone());
        let (resolutions, lease) = (self.resolutions.clone(), Arc::clone(&self.lease));
        Box::pin(isolated(async move {
            let fetched = fetch(&reference, &providers).await;
            if let Some(resolutions) = &resolutions {
                resolutions.counters().fetched(fetched.as_ref().err());
            }
            match (&fetched, resolutions) {
                (Ok((resolved, _)), Some(resolutions)) => {
                    resolutions.record(&reference, resolved.normalized.to_vec(), resolved.mode)
                }
                // The provider answered: an old resolution must not outlive its "not found" or "denied", whoever asked.
                (Err(error), Some(resolutions)) if error.kind() != ErrorKind::Unavailable => {
                    resolutions.forget(&reference);
                    lease.clear();
                }
                _ => {}
            }
            fetched
        }))
    }
}

impl ResolvedTarget {
    fn new(urls: Vec<BaseUrl>, mode: Option<Mode>) -> Self {
        let text = |url: &BaseUrl| format!("{}://{}{}", url.scheme, url.authority, url.path);
        Self { normalized: urls.iter().map(text).collect(), urls, mode }
    }

    /// Returns the URL that a request to `path` below `base` reaches.
    pub(crate) fn covering(&self, base: &UrlPrefix, path: &str) -> Option<&UrlPrefix> {
        self.urls.iter().map(|url| &url.prefix).find(|url| url.covers(base, path))
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
    Ok((ResolvedTarget::new(urls, Some(resource.mode.unwrap_or_default())), fresh))
}
