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
    /// Who said so: the identity of the provider's settings. Nobody's when it was noted without.
    #[serde(default)]
    said_by: String,
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

    /// What the provider with the settings of this identity said, and nobody else.
    pub(crate) fn said_by(self: &Arc<Self>, identity: &str) -> SaidBy {
        SaidBy { resolutions: Arc::clone(self), identity: Arc::from(identity) }
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

/// Where references led according to one provider as it is configured. What another one said, or this one when it was
/// another control plane's, is not followed: it may lead anywhere.
#[derive(Clone, Debug)]
pub(crate) struct SaidBy {
    resolutions: Arc<Resolutions>,
    identity: Arc<str>,
}

impl SaidBy {
    /// Notes where a reference led just now.
    pub(crate) fn learn(&self, reference: &Reference, urls: Vec<String>) {
        let (reference, said_by) = (reference.clone(), self.identity.to_string());
        let learned =
            Learned { reference: reference.clone(), said_by, urls, at: self.resolutions.clock.unix_now() };
        let mut known = self.resolutions.lock();
        if known.len() >= MAX && !known.contains_key(&reference) {
            let oldest =
                known.values().min_by_key(|one| one.learned.at).map(|one| one.learned.reference.clone());
            oldest.map(|oldest| known.remove(&oldest));
        }
        known.insert(reference, Known { learned, former: false });
    }

    /// Forgets a reference that its provider says leads nowhere.
    pub(crate) fn forget(&self, reference: &Reference) {
        let mut known = self.resolutions.lock();
        if known.get(reference).is_some_and(|known| self.said(known)) {
            known.remove(reference);
        }
    }

    /// Where a reference led, and for how long that may still be used.
    pub(crate) fn recall(&self, reference: &Reference) -> Option<(Vec<String>, Duration)> {
        self.recalled(reference, |_| true)
    }

    /// The same, for a reference that only a former process has resolved.
    pub(crate) fn recall_former(&self, reference: &Reference) -> Option<(Vec<String>, Duration)> {
        self.recalled(reference, |known| known.former)
    }

    fn recalled(
        &self,
        reference: &Reference,
        wanted: impl FnOnce(&Known) -> bool,
    ) -> Option<(Vec<String>, Duration)> {
        let known = self.resolutions.lock();
        let known = known.get(reference).filter(|known| self.said(known) && wanted(known))?;
        self.resolutions.usable(&known.learned)
    }

    fn said(&self, known: &Known) -> bool {
        *known.learned.said_by == *self.identity
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
        let all = Resolutions::new(clock.clone(), Vec::new());
        let resolutions = all.said_by("one");
        resolutions.learn(&reference, vec!["http://a".to_owned()]);
        assert!(resolutions.recall_former(&reference).is_none(), "this process has asked");
        let next = Resolutions::new(clock.clone(), all.all()).said_by("one");
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
    fn what_another_control_plane_said_is_not_followed_before_and_after_a_restart() {
        let clock = Arc::new(Turned(AtomicU64::new(1_000)));
        let reference: Reference = "runbeam.acme.ingress.name.a".parse().unwrap();
        let all = Resolutions::new(clock.clone(), Vec::new());
        let (one, other) = (all.said_by("one"), all.said_by("other"));
        one.learn(&reference, vec!["http://a".to_owned()]);
        assert!(other.recall(&reference).is_none());
        other.forget(&reference);
        assert!(one.recall(&reference).is_some(), "it was not the other's to forget");
        let kept = serde_json::to_string(&all.all()).unwrap();
        let next = Resolutions::new(clock.clone(), serde_json::from_str(&kept).unwrap());
        assert!(next.said_by("other").recall_former(&reference).is_none());
        assert!(next.said_by("one").recall_former(&reference).is_some());
        let without = kept.replace("\"said_by\":\"one\",", "");
        let next = Resolutions::new(clock, serde_json::from_str(&without).unwrap());
        assert!(next.said_by("one").recall(&reference).is_none(), "nobody knows who said so");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let all = Resolutions::new(Arc::new(Turned::default()), Vec::new());
        let resolutions = all.said_by("one");
        for n in 0..MAX + 5 {
            resolutions.learn(&format!("runbeam.a.ingress.name.n{n}").parse().unwrap(), Vec::new());
        }
        assert_eq!(all.all().len(), MAX);
    }
}
