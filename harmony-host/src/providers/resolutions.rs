//! The last known URLs of references, used while their provider is unavailable.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use provider_api::{Clock, Mode, Reference};
use serde::{Deserialize, Serialize};

use crate::cache::BoundedCache;
use crate::metrics::CacheCounters;

/// The longest time that a resolution is used while its provider is unavailable. Routing may use stale data;
/// authorization may not. A newer response replaces it at once.
pub(crate) const MAX_STALE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The most references in the cache: applications may resolve references that come from requests.
const MAX: usize = 10_000;

/// The URLs of one reference, as its provider resolved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CachedResolution {
    pub(crate) reference: Reference,
    /// The identity of the settings of the provider that resolved it; empty in files of versions that did not save it.
    #[serde(default, rename = "said_by")]
    identity: String,
    /// In the order in which they are tried.
    pub(crate) urls: Vec<String>,
    /// The admission mode of the resource; `None` in files of versions that did not save it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<Mode>,
    /// The time of the resolution, in seconds since 1970.
    #[serde(rename = "at")]
    resolved_at: u64,
}

impl CachedResolution {
    /// Returns the time at which the provider has answered.
    pub(crate) fn resolved_at(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.resolved_at)).unwrap_or(UNIX_EPOCH)
    }
}

/// The resolutions of all providers. They outlive a configuration and, saved with the last good one, a restart.
pub(crate) struct Resolutions {
    clock: Arc<dyn Clock>,
    cached: BoundedCache<Reference, Cached>,
    counters: CacheCounters,
}

struct Cached {
    resolution: CachedResolution,
    /// True until this process has resolved the reference itself.
    from_previous_process: bool,
}

impl Resolutions {
    /// Creates the cache with the resolutions that the previous process saved.
    pub(crate) fn new(clock: Arc<dyn Clock>, saved: Vec<CachedResolution>) -> Arc<Self> {
        let cached = BoundedCache::new(MAX);
        for resolution in saved.into_iter().take(MAX) {
            let reference = resolution.reference.clone();
            cached.insert(reference, Cached { resolution, from_previous_process: true }, |_| false);
        }
        Arc::new(Self { clock, cached, counters: CacheCounters::default() })
    }

    /// Returns the resolutions of the provider whose settings have this identity.
    pub(crate) fn for_provider(self: &Arc<Self>, identity: &str) -> ProviderResolutions {
        ProviderResolutions { resolutions: Arc::clone(self), identity: Arc::from(identity) }
    }

    /// Returns the resolution and the time for which it may still be used.
    fn usable(&self, resolution: &CachedResolution) -> Option<(CachedResolution, Duration)> {
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(resolution.resolved_at))?;
        // After a clock was set back the age is unknown: the resolution counts as too old.
        let age = self.clock.now().duration_since(at).unwrap_or(MAX_STALE);
        let left = MAX_STALE.checked_sub(age).filter(|left| !left.is_zero())?;
        Some((resolution.clone(), left))
    }

    /// Returns all resolutions, ordered by reference: a stable order, since saved generations are compared.
    pub(crate) fn all(&self) -> Vec<CachedResolution> {
        let mut all: Vec<CachedResolution> = Vec::with_capacity(self.cached.len());
        self.cached.for_each(|cached| all.push(cached.resolution.clone()));
        all.sort_by(|a, b| a.reference.cmp(&b.reference));
        all
    }
}

/// The resolutions of one provider with its present settings. Those of another provider, or of the same one at another
/// control plane, are not used: they could route requests to servers of another party.
#[derive(Clone, Debug)]
pub(crate) struct ProviderResolutions {
    resolutions: Arc<Resolutions>,
    identity: Arc<str>,
}

impl ProviderResolutions {
    /// Returns the counters of the cache, which are those of all providers.
    pub(crate) fn counters(&self) -> &CacheCounters {
        &self.resolutions.counters
    }

    /// Records a resolution. A full cache evicts one that is too old to be used, or that was not used for long.
    pub(crate) fn record(&self, reference: &Reference, urls: Vec<String>, mode: Option<Mode>) {
        let (reference, identity) = (reference.clone(), self.identity.to_string());
        let resolved_at = self.resolutions.clock.unix_now();
        let resolution = CachedResolution { reference: reference.clone(), identity, urls, mode, resolved_at };
        let cached = Cached { resolution, from_previous_process: false };
        let is_too_old = |cached: &Cached| {
            resolved_at.saturating_sub(cached.resolution.resolved_at) >= MAX_STALE.as_secs()
        };
        self.resolutions.cached.insert(reference, cached, is_too_old);
    }

    /// Removes a reference that its provider no longer resolves.
    pub(crate) fn forget(&self, reference: &Reference) {
        self.resolutions.cached.remove(reference, |cached| self.owns(cached));
    }

    /// Returns the resolution of a reference and the time for which it may still be used.
    pub(crate) fn get(&self, reference: &Reference) -> Option<(CachedResolution, Duration)> {
        self.find(reference, |_| true)
    }

    /// Returns the same for a reference that only a previous process has resolved.
    pub(crate) fn get_from_previous_process(
        &self,
        reference: &Reference,
    ) -> Option<(CachedResolution, Duration)> {
        self.find(reference, |cached| cached.from_previous_process)
    }

    fn find(
        &self,
        reference: &Reference,
        wanted: impl FnOnce(&Cached) -> bool,
    ) -> Option<(CachedResolution, Duration)> {
        let cached = self.resolutions.cached.get(reference);
        let cached = cached.filter(|cached| self.owns(cached) && wanted(cached))?;
        self.resolutions.usable(&cached.resolution)
    }

    fn owns(&self, cached: &Cached) -> bool {
        *cached.resolution.identity == *self.identity
    }
}

impl fmt::Debug for Resolutions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolutions").field("cached", &self.cached.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct TestClock(AtomicU64);

    impl Clock for TestClock {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn resolution_is_used_for_a_week() {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000)));
        let reference: Reference = "runbeam.acme.ingress.name.a".parse().unwrap();
        let all = Resolutions::new(clock.clone(), Vec::new());
        let resolutions = all.for_provider("one");
        resolutions.record(&reference, vec!["http://a".to_owned()], Some(Mode::Mesh));
        assert!(resolutions.get_from_previous_process(&reference).is_none(), "this process has resolved it");
        let next = Resolutions::new(clock.clone(), all.all()).for_provider("one");
        clock.0.store(1_000 + MAX_STALE.as_secs() - 1, Ordering::SeqCst);
        let (found, left) = next.get_from_previous_process(&reference).unwrap();
        assert_eq!((found.urls, found.mode), (vec!["http://a".to_owned()], Some(Mode::Mesh)));
        assert_eq!(left, Duration::from_secs(1));
        clock.0.store(1_000 + MAX_STALE.as_secs(), Ordering::SeqCst);
        assert!(next.get(&reference).is_none());
        clock.0.store(999, Ordering::SeqCst);
        assert!(next.get(&reference).is_none(), "the clock was set back");
        clock.0.store(1_001, Ordering::SeqCst);
        next.forget(&reference);
        assert!(next.get(&reference).is_none());
    }

    #[test]
    fn ignores_another_control_plane() {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000)));
        let reference: Reference = "runbeam.acme.ingress.name.a".parse().unwrap();
        let all = Resolutions::new(clock.clone(), Vec::new());
        let (one, other) = (all.for_provider("one"), all.for_provider("other"));
        one.record(&reference, vec!["http://a".to_owned()], Some(Mode::Default));
        assert!(other.get(&reference).is_none());
        other.forget(&reference);
        assert!(one.get(&reference).is_some(), "another provider cannot remove it");
        let saved = serde_json::to_string(&all.all()).unwrap();
        let next = Resolutions::new(clock.clone(), serde_json::from_str(&saved).unwrap());
        assert!(next.for_provider("other").get_from_previous_process(&reference).is_none());
        assert!(next.for_provider("one").get_from_previous_process(&reference).is_some());
        let without = saved.replace("\"said_by\":\"one\",", "");
        let next = Resolutions::new(clock.clone(), serde_json::from_str(&without).unwrap());
        assert!(next.for_provider("one").get(&reference).is_none(), "the provider of it is unknown");
        let without = saved.replace(",\"mode\":\"default\"", "");
        assert_ne!(without, saved);
        let next = Resolutions::new(clock, serde_json::from_str(&without).unwrap()).for_provider("one");
        assert!(next.get(&reference).is_some_and(|(found, _)| found.mode.is_none()), "the mode is unknown");
    }

    #[test]
    fn cache_is_bounded() {
        let all = Resolutions::new(Arc::new(TestClock::default()), Vec::new());
        let resolutions = all.for_provider("one");
        for n in 0..MAX + 5 {
            resolutions.record(&format!("runbeam.a.ingress.name.n{n}").parse().unwrap(), Vec::new(), None);
        }
        assert_eq!(all.all().len(), MAX);
    }
}
