use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::testkit::{SigningKey, Trouble, TurnedClock};
use provider_api::{Cadence, Error, Provider, ProviderName, Resolved, Result};
use serde_json::Value;
use tokio::time::Instant;

use crate::cloud::Cloud;
use crate::fellow::Fellow;
use crate::mutation::Mutation;
use crate::reference::Reference;
use crate::store::Disk;

/// Makes reference providers; holds what outlives each of them.
#[derive(Clone)]
pub(crate) struct Factory {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) disk: Disk,
    pub(crate) clock: TurnedClock,
    pub(crate) deadline: Duration,
    pub(crate) mutation: Mutation,
    pub(crate) keys: Arc<Keys>,
    pub(crate) shared: Arc<Shared>,
}

/// The published keys. One fetches them, the others wait; what is known can be seen without waiting.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) flight: tokio::sync::Mutex<()>,
    pub(crate) seen: Mutex<Seen>,
}

/// The published keys as they were last seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) known: Option<BTreeMap<String, Value>>,
    /// When they were published so, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) asked: Option<Instant>,
    /// Whether a former process saw them.
    pub(crate) recalled: bool,
}

/// What only mutants use: what a provider must not keep.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) version: Mutex<Option<u64>>,
    pub(crate) slot: Mutex<String>,
    pub(crate) answers: Mutex<HashMap<String, Option<Resolved>>>,
    pub(crate) tried: Mutex<Vec<String>>,
    pub(crate) busy: Mutex<usize>,
    pub(crate) failed: Mutex<bool>,
}

pub(crate) const INTERVAL: Duration = Duration::from_secs(30);

/// Older keys are not used.
pub(crate) const KEY_LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl Factory {
    pub(crate) fn build(&self, name: &ProviderName, api: &str, secs: u64) -> Result<Arc<dyn Provider>> {
        let refuse = |why: String| match self.mutation {
            Mutation::BadSettingsAreUnavailable => Err(Error::unavailable(why)),
            Mutation::BadSettingsAreQuoted => Err(Error::invalid(format!("{why}: {api}"))),
            _ => Err(Error::invalid(why)),
        };
        if self.mutation != Mutation::TakesBadSettings {
            if !api.starts_with("https://") || api.contains('@') {
                return refuse("`api` is no https URL without a password".to_owned());
            }
            if secs > 3600 {
                return refuse("the interval is longer than an hour".to_owned());
            }
        }
        let away = self.cloud.state().troubles.values().any(|trouble| *trouble == Trouble::Unreachable);
        if away && self.mutation == Mutation::NeedsACloudToBuild {
            return Err(Error::unavailable("the control plane does not answer"));
        }
        let cadence = match self.mutation {
            Mutation::NoInterval => Cadence::Every(Duration::ZERO),
            _ => Cadence::Every(Duration::from_secs(secs)),
        };
        let name = match self.mutation {
            Mutation::OwnName => "reference".parse().unwrap(),
            _ => name.clone(),
        };
        let at_build = self.disk.lock().unwrap().clone();
        let provider = Arc::new(Reference::new(self.clone(), api.to_owned(), name, cadence, at_build));
        match self.mutation {
            Mutation::TaskInBuild => drop(tokio::spawn(std::future::pending::<()>())),
            Mutation::AsksInBuild => self.cloud.state().asked += 1,
            Mutation::SecondBreaksFirst => *self.shared.busy.lock().unwrap() += 1,
            _ => {}
        }
        Ok(Arc::new(Fellow(provider)))
    }

    /// The key of that id, as the key set gives it.
    pub(crate) fn key(jwk: &Value) -> Option<&'static SigningKey> {
        crate::cloud::KEYS.iter().find(|key| key.jwk().is_some_and(|own| own["n"] == jwk["n"]))
    }
}
