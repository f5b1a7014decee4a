//! The machine token of a gateway: its candidates, the choice between them, and renewal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use provider_api::{CredentialStatus, Error, Result, Secret};

use crate::credential::{Credential, DisplayTime};
use crate::environment::Environment;
use crate::private_file::Stamp;
use crate::store::{Loaded, Store};

/// The machine token of one gateway for one control plane, with two candidates: the environment and the store.
///
/// The candidate of the environment wins until it expires, until the control plane refuses it, or until another
/// token is stored while this process runs: that is how a user renews it. A change of the file is noticed when the
/// token is needed next.
#[derive(Clone, Debug)]
pub(crate) struct Credentials(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The store, or the reason why the gateway cannot have one.
    store: Result<Store, String>,
    origin: String,
    state: Mutex<State>,
    /// Held while a credential is checked and stored.
    enrolling: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    environment: Result<Option<Candidate>, String>,
    stored: Result<Option<Candidate>, String>,
    /// The stamp of the file at the last read, with `None` inside for no file; `None` before the first read.
    last_stamp: Option<Option<Stamp>>,
    /// Set when a token was stored while this process runs; it then wins over the environment.
    renewed: bool,
    /// Set while the token of the environment has yet to be stored.
    to_store: bool,
}

#[derive(Clone, Debug)]
struct Candidate {
    credential: Arc<Credential>,
    refused: bool,
}

impl Credentials {
    /// Creates the state. Does no I/O: the store is read when the token is first needed.
    pub(crate) fn new(store: Result<Store>, origin: String, environment: &Environment) -> Self {
        let environment = environment.machine_token.as_ref().map(parse_environment).transpose();
        let to_store = matches!(environment, Ok(Some(_)));
        let state = State { environment, stored: Ok(None), last_stamp: None, renewed: false, to_store };
        let store = store.map_err(|e| e.to_string());
        Self(Arc::new(Inner {
            store,
            origin,
            state: Mutex::new(state),
            enrolling: tokio::sync::Mutex::default(),
        }))
    }

    /// Returns the credential for requests. A refused credential is returned while there is no better one, since the
    /// refusal may have been a fault of the control plane.
    ///
    /// # Errors
    /// Unavailable when there is no credential or it has expired: a user has to authorize the gateway.
    pub(crate) async fn current(&self, now: SystemTime) -> Result<Arc<Credential>> {
        if !self.is_fresh() || self.state().to_store {
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.reload(now, true))
                .await
                .map_err(|e| Error::unavailable("cannot read the stored machine token").with_source(e))?;
        }
        self.state().select(now)
    }

    /// Returns the id of the gateway that this one is enrolled as, `None` if it is not enrolled. Expired and refused
    /// credentials count.
    ///
    /// # Errors
    /// Unavailable when the store cannot be read now.
    pub(crate) async fn gateway_id(&self, now: SystemTime) -> Result<Option<String>> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.reload(now, false))
            .await
            .map_err(|e| Error::unavailable("cannot read the stored machine token").with_source(e))?;
        Ok(self.state().best(now).map(|candidate| candidate.credential.gateway_id.clone()))
    }

    /// Waits for other enrollments of this gateway, and keeps later ones waiting until the guard is dropped.
    pub(crate) async fn enrolling(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.enrolling.lock().await
    }

    /// Returns the status of the credential. Reads the file only if it has changed.
    pub(crate) fn credential_status(&self, now: SystemTime) -> CredentialStatus {
        if !self.is_fresh() {
            self.reload(now, false);
        }
        let state = self.state();
        let Some(candidate) = state.best(now) else { return CredentialStatus::Missing };
        let expires_at = candidate.credential.expires_at;
        match candidate {
            candidate if candidate.credential.is_expired(now) => {
                CredentialStatus::Expired { expired_at: expires_at }
            }
            candidate if candidate.refused => CredentialStatus::Refused,
            _ => CredentialStatus::Valid { expires_at },
        }
    }

    /// Stores a new credential, which wins over every other one. With `key`, it is encrypted with that key.
    ///
    /// # Errors
    /// The errors of [`Store::save`]; the state is unchanged.
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
            state.stored = Ok(Some(Candidate { credential: Arc::new(credential), refused: false }));
            (state.last_stamp, state.renewed, state.to_store) = (Some(stamp), true, false);
            Ok(())
        });
        saved.await.map_err(|e| Error::unavailable("cannot store the machine token").with_source(e))?
    }

    /// Records whether the control plane refused `credential`.
    pub(crate) fn record_refusal(&self, credential: &Credential, refused: bool) {
        let state = &mut *self.state();
        for candidate in [&mut state.environment, &mut state.stored].into_iter().flatten().flatten() {
            if candidate.credential.token == credential.token {
                candidate.refused = refused;
            }
        }
    }

    fn store(&self) -> Result<&Store> {
        self.0.store.as_ref().map_err(|reason| Error::unavailable(reason.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh(&self) -> bool {
        let stamp = self.0.store.as_ref().ok().and_then(Store::stamp);
        let state = self.state();
        state.last_stamp == Some(stamp)
    }

    /// Reads the store. With `may_store`, also stores the token of the environment if that is still to be done.
    fn reload(&self, now: SystemTime, may_store: bool) {
        let Ok(store) = &self.0.store else {
            self.state().last_stamp = Some(None);
            return;
        };
        let (loaded, stamp) = store.load(&self.0.origin);
        let to_store = self.state().update(loaded, stamp, may_store);
        let Some(credential) = to_store else { return };
        match store.save(&(*credential).clone().bound_to(&self.0.origin), None, now) {
            Ok(stamp) => {
                let mut state = self.state();
                state.stored = state.environment.clone();
                state.last_stamp = Some(stamp);
            }
            // Not an error: the gateway works with the token of the environment.
            Err(error) => tracing::warn!(%error, "cannot store the machine token of the environment"),
        }
    }
}

impl State {
    /// Updates the stored candidate. Returns the credential of the environment if it must replace the stored one.
    fn update(&mut self, loaded: Loaded, stamp: Option<Stamp>, may_store: bool) -> Option<Arc<Credential>> {
        let is_first = self.last_stamp.is_none();
        let before = self.stored.clone().ok().flatten();
        self.last_stamp = Some(stamp);
        self.stored = match loaded {
            Loaded::Missing => Ok(None),
            Loaded::Credential(credential) => {
                let same = before.filter(|before| before.credential.token == credential.token);
                let refused = same.as_ref().is_some_and(|before| before.refused);
                self.renewed |= !is_first && same.is_none();
                Ok(Some(Candidate { credential: Arc::new(*credential), refused }))
            }
            Loaded::Unusable(reason) => Err(reason),
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
            // The file may become readable again with the right key, so it is not overwritten.
            Err(reason) => {
                tracing::warn!("{reason}; the machine token of the environment is used and not stored");
                false
            }
        };
        better.then(|| Arc::clone(given))
    }

    fn candidates(&self) -> [Option<&Candidate>; 2] {
        let environment = self.environment.as_ref().ok().and_then(Option::as_ref);
        let stored = self.stored.as_ref().ok().and_then(Option::as_ref);
        match self.renewed {
            true => [stored, environment],
            false => [environment, stored],
        }
    }

    /// Returns the first candidate that is neither expired nor refused, else the first that is not expired, else the
    /// first. An invalid value in the environment is an error to report, so it hides the stored candidate.
    fn best(&self, now: SystemTime) -> Option<&Candidate> {
        if self.environment.is_err() && !self.renewed {
            return None;
        }
        let candidates = self.candidates();
        let first = |fits: &dyn Fn(&Candidate) -> bool| {
            candidates.into_iter().flatten().find(|candidate| fits(candidate))
        };
        first(&|candidate| !candidate.refused && !candidate.credential.is_expired(now))
            .or_else(|| first(&|candidate| !candidate.credential.is_expired(now)))
            .or_else(|| first(&|_| true))
    }

    fn select(&self, now: SystemTime) -> Result<Arc<Credential>> {
        match self.best(now) {
            Some(candidate) if !candidate.credential.is_expired(now) => Ok(Arc::clone(&candidate.credential)),
            Some(candidate) => Err(Error::unavailable(format!(
                "the machine token of this gateway expired at {}; authorize the gateway again",
                DisplayTime(candidate.credential.expires_at)
            ))),
            None => Err(Error::unavailable(match (&self.environment, &self.stored) {
                (Err(reason), _) | (_, Err(reason)) => reason.clone(),
                _ => {
                    "this gateway has no machine token; authorize it, or set RUNBEAM_MACHINE_TOKEN".to_owned()
                }
            })),
        }
    }
}

fn parse_environment(given: &Secret) -> Result<Candidate, String> {
    let text = given.expose().trim();
    if !text.starts_with('{') {
        return Err("RUNBEAM_MACHINE_TOKEN holds a bare token, as `runbeam token:get --raw` prints it, which has \
                    neither an expiry nor a gateway id: set the variable to the whole JSON object, \
                    {\"machine_token\": \"...\", \"expires_at\": \"2030-01-31T00:00:00Z\", \"gateway_id\": \"...\"}, or \
                    unset it and authorize the gateway"
            .to_owned());
    }
    let credential = Credential::from_json(text.as_bytes())
        .map_err(|e| format!("RUNBEAM_MACHINE_TOKEN cannot be used: {e}"))?;
    Ok(Candidate { credential: Arc::new(credential), refused: false })
}
