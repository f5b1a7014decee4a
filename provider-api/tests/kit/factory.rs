//! The factory of the reference provider.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::testkit::{SigningKey, Trouble, TurnedClock};
use provider_api::{Cadence, Error, Provider, ProviderName, Resolved, Result};
use serde_json::Value;
use tokio::time::Instant;

use crate::control_plane::ControlPlane;
use crate::inner::Inner;
use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;
use crate::store::Disk;

/// Builds reference providers. Holds the state that outlives each of them.
#[derive(Clone)]
pub(crate) struct Factory {
    pub(crate) control_plane: Arc<ControlPlane>,
    pub(crate) disk: Disk,
    pub(crate) clock: TurnedClock,
    pub(crate) deadline: Duration,
    pub(crate) mutation: Mutation,
    pub(crate) keys: Arc<Keys>,
    pub(crate) shared: Arc<Shared>,
}

/// The published keys, with single flight. `state` can be read while a fetch is running.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) flight: tokio::sync::Mutex<()>,
    pub(crate) state: Mutex<KeyState>,
}

/// The published keys as of the last fetch.
#[derive(Default)]
pub(crate) struct KeyState {
    pub(crate) known: Option<BTreeMap<String, Value>>,
    /// The time of the fetch, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) fetched_at: Option<Instant>,
    /// True for keys that an earlier process fetched.
    pub(crate) restored: bool,
}

/// State that a conforming provider must not have. Only mutants use it.
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

/// The age after which keys are not used.
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
                return refuse("`api` is not an https URL without a password".to_owned());
            }
            if secs > 3600 {
                return refuse("the interval is longer than an hour".to_owned());
            }
        }
        let away =
            self.control_plane.state().troubles.values().any(|trouble| *trouble == Trouble::Unreachable);
        if away && self.mutation == Mutation::NeedsControlPlaneToBuild {
            return Err(Error::unavailable("the control plane does not answer"));
        }
        let cadence = match self.mutation {
            Mutation::ZeroInterval => Cadence::Every(Duration::ZERO),
            _ => Cadence::Every(Duration::from_secs(secs)),
        };
        let name = match self.mutation {
            Mutation::IgnoresItsName => "reference".parse().unwrap(),
            _ => name.clone(),
        };
        let at_build = self.disk.lock().unwrap().clone();
        let provider = Arc::new(Inner::new(self.clone(), api.to_owned(), name, cadence, at_build));
        match self.mutation {
            Mutation::TaskInBuild => drop(tokio::spawn(std::future::pending::<()>())),
            Mutation::RequestInBuild => self.control_plane.state().requests += 1,
            Mutation::SecondBreaksFirst => *self.shared.busy.lock().unwrap() += 1,
            _ => {}
        }
        Ok(Arc::new(ReferenceProvider(provider)))
    }

    /// Returns the key pair of a public key from the key set.
    pub(crate) fn key(jwk: &Value) -> Option<&'static SigningKey> {
        crate::control_plane::KEYS.iter().find(|key| key.jwk().is_some_and(|own| own["n"] == jwk["n"]))
    }
}
