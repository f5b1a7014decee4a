//! Saving and restoring keys with the reference provider.

use std::collections::BTreeMap;

use provider_api::Retention;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::factory::{KEY_LIFETIME, KeyState};
use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;

/// The saved form of the published keys.
#[derive(Deserialize)]
struct SavedKeys {
    from: String,
    at: u64,
    keys: BTreeMap<String, Value>,
}

impl Retention for ReferenceProvider {
    fn save(&self) -> Option<String> {
        let inner = &self.0;
        if inner.is(Mutation::SaveSendsRequest) {
            inner.factory.control_plane.state().requests += 1;
        }
        let state = inner.factory.keys.state.lock().unwrap();
        let known =
            state.known.as_ref().filter(|_| !(inner.is(Mutation::SavesOnlyFetchedKeys) && state.restored));
        let Some(known) = known else {
            return inner.is(Mutation::SavesEmptyList).then(|| "[]".to_owned());
        };
        let mut saved = json!({ "from": inner.api, "at": state.at, "keys": known });
        match inner.factory.mutation {
            Mutation::SavesCurrentTime => saved["now"] = inner.now().into(),
            Mutation::SavesCredential => {
                let disk = inner.factory.disk.lock().unwrap();
                saved["token"] = disk.as_ref().map(|credential| credential.token.expose()).into();
            }
            Mutation::SavesIssuedTokens => {
                saved["last"] = inner.factory.shared.slot.lock().unwrap().as_str().into();
            }
            _ => {}
        }
        Some(saved.to_string())
    }

    fn restore(&self, saved: &str) {
        let inner = &self.0;
        let decoded = serde_json::from_str::<SavedKeys>(saved);
        let saved = match inner.factory.mutation {
            Mutation::RestorePanics => decoded.unwrap(),
            Mutation::AnyTextIsEmptyKeySet => decoded.unwrap_or_else(|_| SavedKeys {
                from: inner.api.clone(),
                at: inner.now(),
                keys: BTreeMap::new(),
            }),
            Mutation::RestoreClearsOnError if decoded.is_err() => {
                *inner.factory.keys.state.lock().unwrap() = KeyState::default();
                return;
            }
            _ => match decoded {
                Ok(saved) => saved,
                Err(_) => return,
            },
        };
        let young = inner.now().checked_sub(saved.at).is_some_and(|age| age < KEY_LIFETIME.as_secs());
        let used = (saved.from == inner.api || inner.is(Mutation::RestoresForeignState))
            && (young || inner.is(Mutation::IgnoresAge))
            && !inner.is(Mutation::RestoresNothing);
        let mut state = inner.factory.keys.state.lock().unwrap();
        if used && (state.known.is_none() || inner.is(Mutation::RestoreReplacesNewer)) {
            let at = if inner.is(Mutation::RestoreResetsAge) { inner.now() } else { saved.at };
            let fetched_at = inner.is(Mutation::AnyTextIsEmptyKeySet).then(Instant::now);
            *state = KeyState { known: Some(saved.keys), at, fetched_at, restored: true };
        }
    }
}
