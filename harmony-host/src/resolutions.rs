//! Where references led when they were last resolved: for when their provider is away.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use provider_api::{Clock, Reference};
use serde::{Deserialize, Serialize};

/// How long a reference is followed to where it led last, while its provider cannot be asked: routing may live on
/// stale data. What a provider says takes the place of it at once.
pub(crate) const LONGEST_STALE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The most references that are remembered.
const MAX: usize = 10_000;

/// Where one reference led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    pub(crate) reference: Reference,
    /// In the order in which they are tried.
    pub(crate) urls: Vec<String>,
    /// When, in seconds since 1970.
    at: u64,
}

/// What outlives a configuration and, kept with the last good one, a restart.
pub(crate) struct Resolutions {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Reference, Known>>,
}

struct Known {
    learned: Learned,
    /// Whether this process has not asked its provider yet.
    former: bool,
}

impl Resolutions {
    /// What a former process knew.
    pub(crate) fn new(clock: Arc<dyn Clock>, former: Vec<Learned>) -> Arc<Self> {
        let known = former.into_iter().take(MAX).map(|learned| {
            let reference = learned.reference.clone();
            (reference, Known { learned, former: true })
        });
        Arc::new(Self { clock, known: Mutex::new(known.collect()) })
    }

    /// Notes where a reference led just now.
    pub(crate) fn learn(&self, reference: &Reference, urls: Vec<String>) {
        let learned = Learned { reference: reference.clone(), urls, at: self.clock.unix_now() };
        let mut known = self.lock();
        if known.len() >= MAX && !known.contains_key(reference) {
            let oldest =
                known.values().min_by_key(|one| one.learned.at).map(|one| one.learned.reference.clone());
            oldest.map(|oldest| known.remove(&oldest));
        }
        known.insert(reference.clone(), Known { learned, former: false });
    }

    /// Forgets a reference that its provider says leads nowhere.
    pub(crate) fn forget(&self, reference: &Reference) {
        self.lock().remove(reference);
    }

    /// Where a reference led, and for how long that may still be used.
    pub(crate) fn recall(&self, reference: &Reference) -> Option<(Vec<String>, Duration)> {
        self.lock().get(reference).and_then(|known| self.usable(&known.learned))
    }

    /// The same, for a reference that only a former process has resolved.
    pub(crate) fn recall_former(&self, reference: &Reference) -> Option<(Vec<String>, Duration)> {
        self.lock().get(reference).filter(|known| known.former).and_then(|known| self.usable(&known.learned))
    }

    fn usable(&self, learned: &Learned) -> Option<(Vec<String>, Duration)> {
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(learned.at))?;
        // A clock that was turned back says nothing about the age.
        let age = self.clock.now().duration_since(at).unwrap_or(LONGEST_STALE);
        let left = LONGEST_STALE.checked_sub(age).filter(|left| !left.is_zero())?;
        Some((learned.urls.clone(), left))
    }

    /// Everything that is known, in the order of the references.
    pub(crate) fn all(&self) -> Vec<Learned> {
        let mut all: Vec<Learned> = self.lock().values().map(|known| known.learned.clone()).collect();
        all.sort_by(|a, b| a.reference.cmp(&b.reference));
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Reference, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resolutions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolutions").field("known", &self.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use super::*;

    #[derive(Debug, Default)]
    struct Turned(AtomicU64);

    impl Clock for Turned {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn where_a_reference_led_is_known_for_a_week_and_not_after_its_provider_said_otherwise() {
        let clock = Arc::new(Turned(AtomicU64::new(1_000)));
        let reference: Reference = "runbeam.acme.ingress.name.a".parse().unwrap();
        let resolutions = Resolutions::new(clock.clone(), Vec::new());
        resolutions.learn(&reference, vec!["http://a".to_owned()]);
        assert!(resolutions.recall_former(&reference).is_none(), "this process has asked");
        let next = Resolutions::new(clock.clone(), resolutions.all());
        clock.0.store(1_000 + LONGEST_STALE.as_secs() - 1, Ordering::SeqCst);
        assert_eq!(
            next.recall_former(&reference).unwrap(),
            (vec!["http://a".to_owned()], Duration::from_secs(1))
        );
        clock.0.store(1_000 + LONGEST_STALE.as_secs(), Ordering::SeqCst);
        assert!(next.recall(&reference).is_none());
        clock.0.store(999, Ordering::SeqCst);
        assert!(next.recall(&reference).is_none(), "a clock that was turned back");
        clock.0.store(1_001, Ordering::SeqCst);
        next.forget(&reference);
        assert!(next.recall(&reference).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let resolutions = Resolutions::new(Arc::new(Turned::default()), Vec::new());
        for n in 0..MAX + 5 {
            resolutions.learn(&format!("runbeam.a.ingress.name.n{n}").parse().unwrap(), Vec::new());
        }
        assert_eq!(resolutions.all().len(), MAX);
    }
}
