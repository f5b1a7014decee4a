use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use provider_api::{CredentialStatus, Error, Result, Secret};

use crate::credential::{Credential, Moment};
use crate::environment::Environment;
use crate::private_file::Stamp;
use crate::store::{Found, Store};

/// The machine token of one gateway for one control plane: from the environment, or stored.
///
/// The environment's wins, until it has ended, was refused, or somebody stored another one while this process
/// runs: that is how a person renews it. A file that changes is noticed when the token is next needed.
#[derive(Clone, Debug)]
pub(crate) struct Credentials(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Why nothing can be stored, where nothing can.
    store: Result<Store, String>,
    origin: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    environment: Result<Option<Source>, String>,
    stored: Result<Option<Source>, String>,
    /// What the stored file was when it was read; `None` before the first time.
    seen: Option<Option<Stamp>>,
    /// Whether what is stored came while this process ran.
    renewed: bool,
    /// Whether the environment's is still to be stored.
    to_store: bool,
}

#[derive(Clone, Debug)]
struct Source {
    credential: Arc<Credential>,
    refused: bool,
}

impl Credentials {
    /// Reads nothing yet.
    pub(crate) fn new(store: Result<Store>, origin: String, environment: &Environment) -> Self {
        let environment = environment.machine_token.as_ref().map(of_environment).transpose();
        let to_store = matches!(environment, Ok(Some(_)));
        let state = State { environment, stored: Ok(None), seen: None, renewed: false, to_store };
        let store = store.map_err(|e| e.to_string());
        Self(Arc::new(Inner { store, origin, state: Mutex::new(state) }))
    }

    /// The credential to ask with.
    ///
    /// # Errors
    /// Unavailable when there is none, or it has ended: somebody has to authorize the gateway. One that was
    /// refused is handed out as long as there is no better: the control plane may have been wrong.
    pub(crate) async fn current(&self, now: SystemTime) -> Result<Arc<Credential>> {
        if !self.is_fresh() || self.state().to_store {
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.reload(now, true)).await.map_err(|e| {
                Error::unavailable("the stored machine token could not be read").with_source(e)
            })?;
        }
        self.state().pick(now)
    }

    /// What is known of the credential, from memory and, when it has changed since, from its file.
    pub(crate) fn credential_status(&self, now: SystemTime) -> CredentialStatus {
        if !self.is_fresh() {
            self.reload(now, false);
        }
        let state = self.state();
        let Some(source) = state.best(now) else { return CredentialStatus::Missing };
        let expires_at = source.credential.expires_at;
        match source {
            source if source.credential.is_expired(now) => {
                CredentialStatus::Expired { expired_at: expires_at }
            }
            source if source.refused => CredentialStatus::Refused,
            _ => CredentialStatus::Valid { expires_at },
        }
    }

    /// Stores a credential that is better than all before it, under a key of its own if it came with one.
    ///
    /// # Errors
    /// See [`Store::save`]; nothing has changed then.
    pub(crate) async fn renew(
        &self,
        credential: Credential,
        key: Option<Secret>,
        now: SystemTime,
    ) -> Result<()> {
        let this = self.clone();
        let credential = credential.bound_to(&self.0.origin);
        let saved = tokio::task::spawn_blocking(move || {
            let stamp = this.store()?.save(&credential, key.as_ref(), now)?;
            let mut state = this.state();
            state.stored = Ok(Some(Source { credential: Arc::new(credential), refused: false }));
            (state.seen, state.renewed, state.to_store) = (Some(stamp), true, false);
            Ok(())
        });
        saved.await.map_err(|e| Error::unavailable("the machine token could not be stored").with_source(e))?
    }

    /// Notes what the control plane made of `credential`.
    pub(crate) fn heard(&self, credential: &Credential, refused: bool) {
        let state = &mut *self.state();
        for source in [&mut state.environment, &mut state.stored].into_iter().flatten().flatten() {
            if source.credential.token == credential.token {
                source.refused = refused;
            }
        }
    }

    fn store(&self) -> Result<&Store> {
        self.0.store.as_ref().map_err(|why| Error::unavailable(why.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh(&self) -> bool {
        let stamp = self.0.store.as_ref().ok().and_then(Store::stamp);
        let state = self.state();
        state.seen == Some(stamp)
    }

    fn reload(&self, now: SystemTime, may_store: bool) {
        let Ok(store) = &self.0.store else {
            self.state().seen = Some(None);
            return;
        };
        let (found, stamp) = store.load(&self.0.origin);
        let to_store = self.state().take(found, stamp, may_store);
        let Some(credential) = to_store else { return };
        match store.save(&(*credential).clone().bound_to(&self.0.origin), None, now) {
            Ok(stamp) => {
                let mut state = self.state();
                state.stored = state.environment.clone();
                state.seen = Some(stamp);
            }
            // The gateway can work with what the environment says all the same.
            Err(error) => tracing::warn!(%error, "the machine token of the environment could not be stored"),
        }
    }
}

impl State {
    /// Takes in what was found in the store; says what of the environment is to be stored there instead.
    fn take(&mut self, found: Found, stamp: Option<Stamp>, may_store: bool) -> Option<Arc<Credential>> {
        let is_first = self.seen.is_none();
        let before = self.stored.clone().ok().flatten();
        self.seen = Some(stamp);
        self.stored = match found {
            Found::Nothing => Ok(None),
            Found::Credential(credential) => {
                let same = before.filter(|before| before.credential.token == credential.token);
                let refused = same.as_ref().is_some_and(|before| before.refused);
                self.renewed |= !is_first && same.is_none();
                Ok(Some(Source { credential: Arc::new(*credential), refused }))
            }
            Found::Unusable(why) => Err(why),
        };
        if !may_store || !std::mem::take(&mut self.to_store) {
            return None;
        }
        let given = &self.environment.as_ref().ok()?.as_ref()?.credential;
        let better = match &self.stored {
            Ok(None) => true,
            Ok(Some(stored)) => {
                stored.credential.token != given.token && stored.credential.expires_at <= given.expires_at
            }
            Err(why) => {
                tracing::warn!("{why}; the machine token of the environment is used, and not stored over it");
                false
            }
        };
        better.then(|| Arc::clone(given))
    }

    fn sources(&self) -> [Option<&Source>; 2] {
        let environment = self.environment.as_ref().ok().and_then(Option::as_ref);
        let stored = self.stored.as_ref().ok().and_then(Option::as_ref);
        match self.renewed {
            true => [stored, environment],
            false => [environment, stored],
        }
    }

    /// The first that has neither ended nor been refused, or else the first that has not ended, or else the
    /// first. What is wrong in the environment is not passed over in silence.
    fn best(&self, now: SystemTime) -> Option<&Source> {
        if self.environment.is_err() && !self.renewed {
            return None;
        }
        let sources = self.sources();
        let first =
            |fits: &dyn Fn(&Source) -> bool| sources.into_iter().flatten().find(|source| fits(source));
        first(&|source| !source.refused && !source.credential.is_expired(now))
            .or_else(|| first(&|source| !source.credential.is_expired(now)))
            .or_else(|| first(&|_| true))
    }

    fn pick(&self, now: SystemTime) -> Result<Arc<Credential>> {
        match self.best(now) {
            Some(source) if !source.credential.is_expired(now) => Ok(Arc::clone(&source.credential)),
            Some(source) => Err(Error::unavailable(format!(
                "the machine token of this gateway ended at {}; authorize the gateway again",
                Moment(source.credential.expires_at)
            ))),
            None => Err(Error::unavailable(match (&self.environment, &self.stored) {
                (Err(why), _) | (_, Err(why)) => why.clone(),
                _ => {
                    "this gateway has no machine token; authorize it, or set RUNBEAM_MACHINE_TOKEN".to_owned()
                }
            })),
        }
    }
}

fn of_environment(given: &Secret) -> Result<Source, String> {
    let text = given.expose().trim();
    if !text.starts_with('{') {
        return Err("RUNBEAM_MACHINE_TOKEN holds a bare token, as `runbeam token:get --raw` prints it, and when it \
                    ends and which gateway it is for cannot be seen from that: set it to the whole JSON object, \
                    {\"machine_token\": \"...\", \"expires_at\": \"2030-01-31T00:00:00Z\", \"gateway_id\": \"...\"}, or \
                    unset it and authorize the gateway"
            .to_owned());
    }
    let credential = Credential::from_json(text.as_bytes())
        .map_err(|e| format!("RUNBEAM_MACHINE_TOKEN cannot be used, {e}"))?;
    Ok(Source { credential: Arc::new(credential), refused: false })
}
