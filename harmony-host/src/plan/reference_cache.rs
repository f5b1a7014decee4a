use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use provider_api::Reference;

use crate::plan::outlet::Target;
use crate::providers::resolutions::SaidBy;

/// References that no pipeline sends to and that whoever embeds the gateway asks for, each with its lease.
pub(crate) struct AskedTargets {
    resolutions: SaidBy,
    known: Mutex<HashMap<Reference, Arc<Target>>>,
}

/// How many of them are remembered: they may come from requests.
const MAX: usize = 4096;

impl AskedTargets {
    pub(crate) fn new(resolutions: SaidBy) -> Self {
        Self { resolutions, known: Mutex::default() }
    }

    /// The one target that all who ask for `reference` share.
    pub(crate) fn target(&self, reference: &Reference) -> Arc<Target> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(reference) {
            return Arc::clone(target);
        }
        if known.len() >= MAX {
            known.clear();
        }
        let target = Arc::new(Target::new(reference.clone(), &self.resolutions));
        known.insert(reference.clone(), Arc::clone(&target));
        target
    }
}

impl fmt::Debug for AskedTargets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedTargets").finish_non_exhaustive()
    }
}
