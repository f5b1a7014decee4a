//! The resource of a reference, as this gateway has it now.

use jiff::Timestamp;
use provider_api::{ErrorKind, Mode, Reference};
use serde::Serialize;

use crate::config::Destination;
use crate::difference::words;
use crate::explain::Asked;
use crate::plan::Target;
use crate::providers::isolate::{error_chain, isolated};
use crate::status::timestamp;

/// The most users of a reference that are named.
const MOST_USERS: usize = 50;

/// The resource of a reference, as this gateway has it now. No control plane is asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReferenceExplanation {
    pub(crate) reference: String,
    pub(crate) provider: String,
    /// `resolved`, `stale`, `not_resolved`, `not_used`, `not_found`, `denied`, `invalid`, `unavailable` or `inactive`.
    pub(crate) state: &'static str,
    pub(crate) in_words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<ResourceExplanation>,
    /// The URLs, in the order in which they are tried.
    pub(crate) urls: Vec<String>,
    /// The admission mode of the resource: `default` or `mesh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cached: Option<CachedExplanation>,
    /// The pipelines and meshes that use it.
    pub(crate) used_by: Vec<String>,
    pub(crate) used_by_left_out: usize,
}

/// A resource of this gateway.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResourceExplanation {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) enabled: bool,
}

/// The age of a cached resolution.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CachedExplanation {
    /// The time of the answer of the provider.
    pub(crate) since: Timestamp,
    pub(crate) age_secs: u64,
    /// The end of its use, if the provider stays unavailable until then.
    pub(crate) usable_until: Timestamp,
}

impl ReferenceExplanation {
    fn new(reference: &Reference, state: &'static str, in_words: impl Into<String>) -> Self {
        Self {
            reference: words::without_secrets(&reference.to_string()),
            provider: reference.provider().to_string(),
            state,
            in_words: in_words.into(),
            resource: None,
            urls: Vec::new(),
            mode: None,
            cached: None,
            used_by: Vec::new(),
            used_by_left_out: 0,
        }
    }

    /// Returns whether there is such a resource, or may be.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self.state, "not_found" | "invalid")
    }
}

impl Asked<'_> {
    /// Explains a reference.
    pub(super) async fn reference(&self, reference: &Reference) -> ReferenceExplanation {
        let mut explained = match reference.provider().is_local() {
            true => self.local(reference).await,
            false => self.remote(reference),
        };
        let users = self.users(reference);
        explained.used_by_left_out = users.len().saturating_sub(MOST_USERS);
        explained.used_by = users.into_iter().take(MOST_USERS).collect();
        explained
    }

    /// Explains a reference to a resource of this gateway, which its configuration has.
    async fn local(&self, reference: &Reference) -> ReferenceExplanation {
        let Some(resolver) = self.snapshot.providers.resolver(reference) else {
            return ReferenceExplanation::new(
                reference,
                "inactive",
                "this gateway resolves no local references",
            );
        };
        match isolated(resolver.resolve(reference)).await {
            Ok(resolved) => {
                let resource = resolved.resource;
                let mut explained =
                    ReferenceExplanation::new(reference, "resolved", "a resource of this gateway");
                explained.urls = resource.urls.iter().map(|url| words::without_secrets(url)).collect();
                explained.mode = resource.mode.map(mode);
                explained.resource = Some(ResourceExplanation {
                    kind: resource.kind.to_string(),
                    name: resource.name,
                    enabled: resource.enabled,
                });
                explained
            }
            Err(error) => {
                let state = match error.kind() {
                    ErrorKind::NotFound => "not_found",
                    ErrorKind::Denied => "denied",
                    ErrorKind::Invalid => "invalid",
                    ErrorKind::Unavailable => "unavailable",
                };
                ReferenceExplanation::new(reference, state, error_chain(&error))
            }
        }
    }

    /// Explains a reference to a resource of a control plane, by what is cached.
    fn remote(&self, reference: &Reference) -> ReferenceExplanation {
        let (provider, config) = (reference.provider(), &self.snapshot.config);
        if *provider != config.primary.name {
            let message =
                format!("the provider {provider} is not active; active: local, {}", config.primary.name);
            return ReferenceExplanation::new(reference, "inactive", message);
        }
        let Some(target) = self.snapshot.plans.remote_target(reference) else {
            let message = "nothing in the configuration uses it, so the provider was not asked; `harmony-host resolve` asks it";
            return ReferenceExplanation::new(reference, "not_used", message);
        };
        self.cached(reference, &target)
    }

    fn cached(&self, reference: &Reference, target: &Target) -> ReferenceExplanation {
        let Some((resolution, left)) = target.cached() else {
            let message = "the provider was not asked yet, or has no such resource; the next request asks it";
            return ReferenceExplanation::new(reference, "not_resolved", message);
        };
        let now = self.snapshot.providers.now();
        let since = resolution.resolved_at();
        let age = now.duration_since(since).unwrap_or_default();
        let mut explained = match target.is_held() {
            true => ReferenceExplanation::new(
                reference,
                "resolved",
                "requests use the cached answer of the provider",
            ),
            false => ReferenceExplanation::new(
                reference,
                "stale",
                "the next request asks the provider; the cached answer is used if it is unavailable",
            ),
        };
        explained.urls = resolution.urls.iter().map(|url| words::without_secrets(url)).collect();
        explained.mode = resolution.mode.map(mode);
        explained.cached = Some(CachedExplanation {
            since: timestamp(since),
            age_secs: age.as_secs(),
            usable_until: timestamp(now.checked_add(left).unwrap_or(now)),
        });
        explained
    }

    fn users(&self, reference: &Reference) -> Vec<String> {
        let config = &self.snapshot.config;
        let pipelines = config.pipelines.iter().filter(|linked| {
            let destination = linked.backend.as_ref().map(|backend| &backend.destination);
            matches!(destination, Some(Destination::Resource(used)) if used == reference)
        });
        let meshes = config.meshes.iter().filter(|linked| linked.remote.contains(reference));
        pipelines
            .map(|linked| format!("pipeline {}", linked.pipeline.name))
            .chain(meshes.map(|linked| format!("mesh {}", linked.mesh.name)))
            .collect()
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Default => "default",
        Mode::Mesh => "mesh",
    }
}
