use std::time::{Duration, UNIX_EPOCH};

use provider_api::Retention;
use serde::{Deserialize, Serialize};

use crate::key_sets::LastKeys;
use crate::runbeam::Runbeam;

/// The version of the form.
const SCHEMA: u32 = 1;

/// The published keys, as they are kept over a restart. They are public; their age goes with them.
#[derive(Serialize, Deserialize)]
struct Kept {
    schema: u32,
    /// Whose keys they are: with another control plane configured they are worth nothing.
    control_plane: String,
    sets: Vec<KeptSet>,
}

#[derive(Serialize, Deserialize)]
struct KeptSet {
    /// Where the configuration said that they are; `None` for the control plane's own.
    url: Option<String>,
    #[serde(flatten)]
    last: LastKeys,
}

impl Retention for Runbeam {
    fn save(&self) -> Option<String> {
        let sets: Vec<KeptSet> =
            self.keys.last().into_iter().map(|(url, last)| KeptSet { url, last }).collect();
        if sets.is_empty() {
            return None;
        }
        let control_plane = self.api.configured().to_string();
        serde_json::to_string(&Kept { schema: SCHEMA, control_plane, sets }).ok()
    }

    /// Keys are used for as long as they would have been without the restart, never longer.
    fn restore(&self, kept: &str) {
        let Ok(kept) = serde_json::from_str::<Kept>(kept) else { return };
        if kept.schema != SCHEMA || kept.control_plane != self.api.configured().as_str() {
            return;
        }
        for KeptSet { url, last } in kept.sets {
            let at = UNIX_EPOCH.checked_add(Duration::from_secs(last.at));
            // A clock that was turned back says nothing about the age.
            if let Some(age) = at.and_then(|at| self.context.clock.now().duration_since(at).ok()) {
                self.keys.of(url.as_deref()).recall(last, age, self.context.key_lifetime);
            }
        }
    }
}
