//! The cache of references that an application resolves.

use std::fmt;
use std::sync::Arc;

use dashmap::DashMap;
use provider_api::Reference;

use crate::plan::target::Target;
use crate::providers::resolutions::ProviderResolutions;

/// The targets of references that no pipeline uses and that the embedding application resolves.
pub(crate) struct ReferenceCache {
    resolutions: ProviderResolutions,
    targets: DashMap<Reference, Arc<Target>>,
}

/// The most targets in the cache: an application may resolve references that come from requests.
const MAX: usize = 4096;

impl ReferenceCache {
    pub(crate) fn new(resolutions: ProviderResolutions) -> Self {
        Self { resolutions, targets: DashMap::new() }
    }

    /// Returns the target of `reference`, the same one for all callers. A full cache evicts an arbitrary target.
    pub(crate) fn target(&self, reference: &Reference) -> Arc<Target> {
        if let Some(target) = self.targets.get(reference) {
            return Arc::clone(&target);
        }
        if self.targets.len() >= MAX {
            // The guard of the iterator ends before the map is changed: both lock the same shard.
            let other = self.targets.iter().next().map(|entry| entry.key().clone());
            other.map(|other| self.targets.remove(&other));
        }
        let new = || Arc::new(Target::new(reference.clone(), &self.resolutions));
        Arc::clone(&self.targets.entry(reference.clone()).or_insert_with(new))
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
        assert!(Arc::ptr_eq(&cache.target(&reference(0)), &cache.target(&reference(0))));
        for n in 0..MAX + 5 {
            cache.target(&reference(n));
        }
        assert_eq!(cache.targets.len(), MAX);
    }
}
