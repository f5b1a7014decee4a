//! The cache of references that an application resolves.

use std::fmt;
use std::sync::Arc;

use provider_api::Reference;

use crate::cache::{BoundedCache, Cached};
use crate::metrics::CacheCounters;
use crate::plan::target::Target;
use crate::providers::resolutions::ProviderResolutions;

/// The targets of references that no pipeline uses and that the embedding application resolves.
pub(crate) struct ReferenceCache {
    resolutions: ProviderResolutions,
    targets: BoundedCache<Reference, Arc<Target>>,
}

/// The most targets in the cache: an application may resolve references that come from requests.
const MAX: usize = 4096;

impl ReferenceCache {
    pub(crate) fn new(resolutions: ProviderResolutions) -> Self {
        Self { resolutions, targets: BoundedCache::new(MAX) }
    }

    /// Returns the counters of the answers for all references.
    pub(crate) fn counters(&self) -> &CacheCounters {
        self.resolutions.counters()
    }

    /// Takes over the targets of remote references from `before`. A local one may be another resource now.
    pub(crate) fn carry(&self, before: &Self) {
        before.targets.for_each(|target| {
            if !target.reference.provider().is_local() {
                self.targets.insert(target.reference.clone(), Arc::clone(target), |_| false);
            }
        });
    }

    /// Returns the target of `reference` if it is in the cache.
    pub(crate) fn get(&self, reference: &Reference) -> Option<Arc<Target>> {
        self.targets.get(reference).map(|target| Arc::clone(&target))
    }

    /// Returns all targets in the cache.
    pub(crate) fn all(&self) -> Vec<Arc<Target>> {
        let mut all = Vec::with_capacity(self.targets.len());
        self.targets.for_each(|target| all.push(Arc::clone(target)));
        all
    }

    /// Returns the target of `reference`, the same one for all callers. A full cache evicts one that was not used for long.
    pub(crate) fn target(&self, reference: &Reference) -> Cached<Reference, Arc<Target>> {
        let new = || Arc::new(Target::new(reference.clone(), &self.resolutions));
        self.targets.get_or_insert(reference, new)
    }
}

impl fmt::Debug for ReferenceCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceCache").field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use provider_api::SystemClock;

    use super::*;
    use crate::providers::resolutions::Resolutions;

    #[test]
    fn cache_is_shared_and_bounded() {
        let cache =
            ReferenceCache::new(Resolutions::new(Arc::new(SystemClock), Vec::new()).for_provider("one"));
        let reference = |n: usize| format!("runbeam.a.ingress.name.n{n}").parse().unwrap();
        assert!(std::ptr::eq(&*cache.target(&reference(0)), &*cache.target(&reference(0))));
        for n in 0..MAX + 5 {
            cache.target(&reference(n));
        }
        assert_eq!(cache.targets.len(), MAX);
    }
}
