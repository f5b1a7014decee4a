//! The state that survives a restart: the published keys.

use std::time::{Duration, UNIX_EPOCH};

use provider_api::Retention;
use serde::{Deserialize, Serialize};

use crate::key_sets::PublishedKeys;
use crate::runbeam::Runbeam;

/// The version of the saved format.
const SCHEMA: u32 = 1;

/// The saved state: the published keys, which are public, with the time of their fetch.
#[derive(Serialize, Deserialize)]
struct SavedState {
    schema: u32,
    /// The control plane that published the keys. With another one configured they are not restored.
    control_plane: String,
    sets: Vec<SavedKeySet>,
}

#[derive(Serialize, Deserialize)]
struct SavedKeySet {
    /// The `jwks_url` of the configuration; `None` for the key set of the control plane.
    url: Option<String>,
    #[serde(flatten)]
    keys: PublishedKeys,
}

impl Retention for Runbeam {
    fn save(&self) -> Option<String> {
        let sets: Vec<SavedKeySet> =
            self.keys.published().into_iter().map(|(url, keys)| SavedKeySet { url, keys }).collect();
        if sets.is_empty() {
            return None;
        }
        let control_plane = self.api.configured().to_string();
        serde_json::to_string(&SavedState { schema: SCHEMA, control_plane, sets }).ok()
    }

    /// Restores the keys. A restart does not extend their lifetime.
    fn restore(&self, saved: &str) {
        let Ok(saved) = serde_json::from_str::<SavedState>(saved) else { return };
        if saved.schema != SCHEMA || saved.control_plane != self.api.configured().as_str() {
            return;
        }
        for SavedKeySet { url, keys } in saved.sets {
            let fetched_at = UNIX_EPOCH.checked_add(Duration::from_secs(keys.at));
            // A fetch in the future means that the clock was set back, so the age is unknown.
            if let Some(age) = fetched_at.and_then(|at| self.context.clock.now().duration_since(at).ok()) {
                self.keys.get(url.as_deref()).restore(keys, age, self.context.key_lifetime);
            }
        }
    }
}
