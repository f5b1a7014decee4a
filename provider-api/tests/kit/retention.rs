use std::collections::BTreeMap;

use provider_api::Retention;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::factory::{KEY_LIFETIME, Seen};
use crate::fellow::Fellow;
use crate::mutation::Mutation;

/// The published keys, as they are kept over a restart.
#[derive(Deserialize)]
struct Kept {
    from: String,
    at: u64,
    keys: BTreeMap<String, Value>,
}

impl Retention for Fellow {
    fn save(&self) -> Option<String> {
        let this = &self.0;
        if this.is(Mutation::KeepAsks) {
            this.factory.cloud.state().asked += 1;
        }
        let seen = this.factory.keys.seen.lock().unwrap();
        let known = seen.known.as_ref().filter(|_| !(this.is(Mutation::KeepsOnlyItsOwn) && seen.recalled));
        let Some(known) = known else {
            return this.is(Mutation::KeepsAnEmptyList).then(|| "[]".to_owned());
        };
        let mut kept = json!({ "from": this.api, "at": seen.at, "keys": known });
        match this.factory.mutation {
            Mutation::KeepsTheTime => kept["now"] = this.now().into(),
            Mutation::KeepsTheCredential => {
                let disk = this.factory.disk.lock().unwrap();
                kept["token"] = disk.as_ref().map(|credential| credential.token.expose()).into();
            }
            Mutation::KeepsIssuedTokens => {
                kept["last"] = this.factory.shared.slot.lock().unwrap().as_str().into();
            }
            _ => {}
        }
        Some(kept.to_string())
    }

    fn restore(&self, kept: &str) {
        let this = &self.0;
        let understood = serde_json::from_str::<Kept>(kept);
        let kept = match this.factory.mutation {
            Mutation::RecallPanics => understood.unwrap(),
            Mutation::AnyTextIsKeys => understood.unwrap_or_else(|_| Kept {
                from: this.api.clone(),
                at: this.now(),
                keys: BTreeMap::new(),
            }),
            Mutation::RecallForgets if understood.is_err() => {
                *this.factory.keys.seen.lock().unwrap() = Seen::default();
                return;
            }
            _ => match understood {
                Ok(kept) => kept,
                Err(_) => return,
            },
        };
        let young = this.now().checked_sub(kept.at).is_some_and(|age| age < KEY_LIFETIME.as_secs());
        let used = (kept.from == this.api || this.is(Mutation::TakesFromElsewhere))
            && (young || this.is(Mutation::AnyAge))
            && !this.is(Mutation::TakesNothingBack);
        let mut seen = this.factory.keys.seen.lock().unwrap();
        if used && (seen.known.is_none() || this.is(Mutation::RecallReplaces)) {
            let at = if this.is(Mutation::YoungAgain) { this.now() } else { kept.at };
            let asked = this.is(Mutation::AnyTextIsKeys).then(Instant::now);
            *seen = Seen { known: Some(kept.keys), at, asked, recalled: true };
        }
    }
}
