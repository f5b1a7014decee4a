//! The machine token of a gateway: reading, renewal, and what is remembered of it.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use provider_api::{CredentialDetails, CredentialStatus, Error, Result, Secret};

use crate::credential::{Credential, is_id};
use crate::credentials::state::{Candidate, State, parse_environment};
use crate::environment::{Environment, MACHINE_TOKEN};
use crate::seen_tokens::SeenToken;
use crate::store::Store;

/// The machine token of one gateway for one control plane, with two candidates: the environment and the store.
///
/// The newest that is neither expired nor refused wins. A token of the environment is as old as the first time that it
/// was seen, in this process or an earlier one; one that was refused, or replaced by storing another, is remembered as
/// such. A change of the file is noticed when the token is needed next.
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

/// The gateway that this one is enrolled as.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    Nobody,
    /// The one with this id.
    Gateway(String),
    /// The one of this bare token, which has no id with it.
    Bare {
        token: Secret,
        /// Set when the control plane has accepted it, or another bare token before.
        worked: bool,
    },
    /// The one of a bare token that worked. It is gone or refused, and the control plane never told the id.
    Unknown,
}

impl Credentials {
    /// Creates the state. Does no I/O: the store is read when the token is first needed.
    pub(crate) fn new(store: Result<Store>, origin: String, environment: &Environment) -> Self {
        let given = environment.machine_token.as_ref().filter(|given| !given.expose().trim().is_empty());
        let environment = given.map(parse_environment).transpose();
        if let Err(problem) = &environment {
            tracing::warn!("{problem}");
        }
        // A bare token lacks what the store needs.
        let to_store =
            matches!(&environment, Ok(Some(candidate)) if candidate.credential.gateway_id.is_some());
        let state = State::new(environment, to_store);
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
        if !self.is_fresh() || self.state().has_writes() {
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.reload(now, true))
                .await
                .map_err(|e| Error::unavailable("cannot read the stored machine token").with_source(e))?;
        }
        self.state().select(now)
    }

    /// Returns the gateway that this one is enrolled as. Expired and refused credentials count, also a bare token that
    /// worked once: whoever may enroll a gateway must not get it when its token is revoked. One that never worked says
    /// nothing. While the stored one cannot be decrypted, what was remembered of it counts.
    ///
    /// # Errors
    /// Unavailable when the store cannot be read now.
    pub(crate) async fn identity(&self, now: SystemTime) -> Result<Identity> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            this.reload(now, false);
            this.identity_now(now)
        })
        .await
        .map_err(|e| Error::unavailable("cannot read the stored machine token").with_source(e))
    }

    fn identity_now(&self, now: SystemTime) -> Identity {
        let state = self.state();
        let says = |candidate: &&Candidate| candidate.credential.gateway_id.is_some() || !candidate.refused;
        let best = state.best(now).filter(says);
        let best = best.or_else(|| state.candidates().into_iter().flatten().find(says));
        let remembered = self.0.store.as_ref().ok().map(Store::seen_tokens);
        let bare = remembered.as_ref().and_then(|seen| seen.bare(&self.0.origin));
        let worked = state.works || bare.is_some();
        if let Some(credential) = best.map(|best| &best.credential) {
            let id = credential.gateway_id.clone().or_else(|| state.learned_for(credential));
            let bare = || Identity::Bare { token: credential.token.clone(), worked };
            return id.map_or_else(bare, Identity::Gateway);
        }
        let enrolled = remembered.filter(|_| state.stored.is_err());
        let enrolled = enrolled.and_then(|seen| seen.gateway_id(&self.0.origin));
        let learned = state.learned.clone().or(bare.flatten());
        match enrolled.or(learned) {
            Some(id) => Identity::Gateway(id),
            None if worked => Identity::Unknown,
            None => Identity::Nobody,
        }
    }

    /// Returns the gateway that a credential is for; `None` for a bare token until the control plane has told it.
    pub(crate) fn gateway_of(&self, credential: &Credential) -> Option<String> {
        let state = self.state();
        credential.gateway_id.clone().or_else(|| state.learned_for(credential))
    }

    /// Remembers the gateway of a bare token.
    pub(crate) fn learned(&self, credential: &Credential, id: &str) {
        let mut state = self.state();
        if credential.gateway_id.is_some() || !state.is_in_environment(credential) || !is_id(id) {
            return;
        }
        tracing::info!(gateway = id, "the machine token in {MACHINE_TOKEN} is for this gateway");
        state.learned = Some(id.to_owned());
        if let Some(seen) = &mut state.seen {
            seen.gateway_id = Some(id.to_owned());
        }
        // Written at once, as a refusal is. It happens once for each token.
        self.remember(&state);
        self.remember_bare(Some(id));
    }

    fn remember_bare(&self, id: Option<&str>) {
        if let Ok(store) = &self.0.store {
            store.seen_tokens().remember_bare(&self.0.origin, id);
        }
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
        match expires_at {
            Some(expired_at) if expired_at <= now => CredentialStatus::Expired { expired_at },
            _ if candidate.refused => CredentialStatus::Refused,
            _ => CredentialStatus::Valid { expires_at },
        }
    }

    /// Returns what is known about the credential in use, and the problem of one that is not used.
    pub(crate) fn details(&self, now: SystemTime) -> CredentialDetails {
        if !self.is_fresh() {
            self.reload(now, false);
        }
        let state = self.state();
        let best = state.best(now);
        let is_stored =
            |best: &Candidate| state.stored().is_some_and(|stored| stored.token == best.credential.token);
        let named = best.map(|best| (*best.credential).clone().with_names_of(state.stored()));
        let source = best.map(|best| match (is_stored(best), state.is_environment(best)) {
            (true, true) => format!("{MACHINE_TOKEN}, stored too"),
            (false, _) => MACHINE_TOKEN.to_owned(),
            (true, false) => "the stored machine token".to_owned(),
        });
        CredentialDetails {
            source,
            gateway_id: best.and_then(|best| best.credential.gateway_id.clone()),
            gateway_code: named.as_ref().and_then(|named| named.gateway_code.clone()),
            gateway_name: named.and_then(|named| named.gateway_name),
            issued_at: best.and_then(|best| best.credential.issued_at),
            problem: state.problem(now),
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
            let store = this.store()?;
            let credential = credential.with_names_of(this.state().stored());
            let stamp = store.save(&credential, key.as_ref(), now)?;
            this.remember_gateway(&credential);
            let mut state = this.state();
            let issued_at = credential.issued_at.map_or(now, |issued_at| issued_at.min(now));
            let credential = Credential { issued_at: Some(issued_at), ..credential };
            state.stored = Ok(Some(Candidate { credential: Arc::new(credential), refused: false }));
            (state.last_stamp, state.to_store) = (Some(stamp), false);
            state.replaced();
            this.remember(&state);
            Ok(())
        });
        saved.await.map_err(|e| Error::unavailable("cannot store the machine token").with_source(e))?
    }

    /// Records whether the control plane refused `credential`.
    pub(crate) fn record_refusal(&self, credential: &Credential, refused: bool) {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut changed = false;
        for candidate in [&mut state.environment, &mut state.stored].into_iter().flatten().flatten() {
            if candidate.credential.token == credential.token {
                changed |= candidate.refused != refused;
                candidate.refused = refused;
            }
        }
        let is_environment = state.is_in_environment(credential);
        let first = is_environment && !refused && !state.works;
        state.works |= first;
        if first && credential.gateway_id.is_none() {
            let learned = state.learned.clone();
            self.remember_bare(learned.as_deref());
        }
        if changed && is_environment {
            if let Some(seen) = &mut state.seen {
                seen.refused = refused;
            }
            // Written at once, since a restart may come before the next call. It happens seldom.
            self.remember(state);
        }
    }

    /// Returns a credential and where it comes from in words, for the message about a refusal.
    pub(crate) fn described(&self, credential: &Credential) -> String {
        match self.state().is_in_environment(credential) {
            true if credential.gateway_id.is_none() && credential.is_opaque() => format!(
                "the machine token in {MACHINE_TOKEN}, which has not the form of one: a JWT, or a number, `|` and a text"
            ),
            true => format!("the machine token in {MACHINE_TOKEN}"),
            false => "the stored machine token of this gateway".to_owned(),
        }
    }

    fn remember(&self, state: &State) {
        if let (Ok(store), Some(seen)) = (&self.0.store, &state.seen) {
            store.seen_tokens().remember(seen);
        }
    }

    fn remember_gateway(&self, credential: &Credential) {
        if let (Ok(store), Some(id)) = (&self.0.store, &credential.gateway_id) {
            store.seen_tokens().remember_gateway(&self.0.origin, id);
        }
    }

    /// Warns when the token of the environment, which is stored next, is for another gateway than the stored one.
    fn warn_of_another(&self, credential: &Credential) {
        let stored = self.state().stored().and_then(|stored| stored.gateway_id.clone());
        let ids = stored.zip(credential.gateway_id.as_ref());
        if let Some((before, now)) = ids.filter(|(before, now)| before != *now) {
            tracing::warn!(
                before,
                now,
                "the machine token in {MACHINE_TOKEN} is for another gateway than the stored one, and replaces it"
            );
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
        let mut state = self.state();
        if let (None, Ok(Some(given))) = (&state.seen, &state.environment) {
            let known = store.seen_tokens().find(&given.credential, &self.0.origin);
            let is_new = known.is_none();
            let seen = known.unwrap_or_else(|| SeenToken::new(&given.credential, &self.0.origin, now));
            state.first_seen(seen, is_new);
        }
        let to_store = state.update(loaded, stamp, may_store);
        if may_store && let Ok(Some(stored)) = &state.stored {
            self.remember_gateway(&stored.credential);
        }
        if may_store && std::mem::take(&mut state.to_remember) {
            self.remember(&state);
        }
        drop(state);
        let Some(credential) = to_store else { return };
        self.warn_of_another(&credential);
        let credential = (*credential).clone().with_names_of(self.state().stored()).bound_to(&self.0.origin);
        match store.save(&credential, None, now) {
            Ok(stamp) => {
                self.remember_gateway(&credential);
                let mut state = self.state();
                let issued_at = credential.issued_at.map_or(now, |issued_at| issued_at.min(now));
                let credential = Credential { issued_at: Some(issued_at), ..credential };
                state.stored = Ok(Some(Candidate { credential: Arc::new(credential), refused: false }));
                state.last_stamp = Some(stamp);
            }
            // Not an error: the gateway works with the token of the environment.
            Err(error) => tracing::warn!(%error, "cannot store the machine token of the environment"),
        }
    }
}
