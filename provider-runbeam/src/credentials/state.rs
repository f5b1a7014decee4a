//! The candidates for the machine token, and the choice between them.

use std::sync::Arc;
use std::time::SystemTime;

use provider_api::{Error, Result, Secret};

use crate::credential::{Credential, DisplayTime};
use crate::environment::MACHINE_TOKEN;
use crate::private_file::Stamp;
use crate::seen_tokens::SeenToken;
use crate::store::Loaded;

/// The candidates for the machine token, and what is known about that of the environment.
#[derive(Debug)]
pub(super) struct State {
    pub(super) environment: Result<Option<Candidate>, String>,
    pub(super) stored: Result<Option<Candidate>, String>,
    /// The stamp of the file at the last read, with `None` inside for no file; `None` before the first read.
    pub(super) last_stamp: Option<Option<Stamp>>,
    /// The record of the token of the environment; `None` before the first read, and without one.
    pub(super) seen: Option<SeenToken>,
    /// Set when the token of the environment was not seen before this process.
    pub(super) is_new: bool,
    /// Set while `seen` has yet to be remembered.
    pub(super) to_remember: bool,
    /// Set while the token of the environment has yet to be stored.
    pub(super) to_store: bool,
    /// Set when the control plane has accepted the token of the environment.
    pub(super) works: bool,
    /// The gateway of a bare token of the environment, once the control plane has told it.
    pub(super) learned: Option<String>,
}

/// A credential that may be used.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) credential: Arc<Credential>,
    pub(super) refused: bool,
}

impl State {
    /// Creates the state before the store is read.
    pub(super) fn new(environment: Result<Option<Candidate>, String>, to_store: bool) -> Self {
        Self {
            environment,
            stored: Ok(None),
            last_stamp: None,
            seen: None,
            is_new: false,
            to_remember: false,
            to_store,
            works: false,
            learned: None,
        }
    }

    /// Updates the stored candidate. Returns the credential of the environment if it must replace the stored one.
    pub(super) fn update(
        &mut self,
        loaded: Loaded,
        stamp: Option<Stamp>,
        may_store: bool,
    ) -> Option<Arc<Credential>> {
        let is_first = self.last_stamp.is_none();
        let before = self.stored.clone().ok().flatten();
        self.last_stamp = Some(stamp);
        self.stored = match loaded {
            Loaded::Missing => Ok(None),
            Loaded::Credential(credential) => {
                let same = before.filter(|before| before.credential.token == credential.token);
                let in_environment = self.is_in_environment(&credential);
                let refused = match &same {
                    Some(before) => before.refused,
                    None => in_environment && self.seen.as_ref().is_some_and(|seen| seen.refused),
                };
                // Another process stored a token while this one runs: that is how a user renews it.
                if !is_first && same.is_none() && !in_environment {
                    self.replaced();
                }
                Ok(Some(Candidate { credential: Arc::new(*credential), refused }))
            }
            Loaded::Unusable(reason) => Err(reason),
        };
        // A stored token is only replaced by one that works.
        let is_due = self.works || matches!(self.stored, Ok(None) | Err(_));
        if !may_store || !self.to_store || !is_due {
            return None;
        }
        self.to_store = false;
        let given = &self.environment.as_ref().ok()?.as_ref()?.credential;
        let better = match &self.stored {
            Ok(None) => true,
            Ok(Some(stored)) => {
                stored.credential.token != given.token
                    && stored.credential.expires_at <= given.expires_at
                    && self.environment_is_newer()
            }
            // The file may become readable again with the right key, so it is not overwritten.
            Err(reason) => {
                tracing::warn!("{reason}; the machine token of the environment is used and not stored");
                false
            }
        };
        better.then(|| Arc::clone(given))
    }

    pub(super) fn stored(&self) -> Option<&Credential> {
        self.stored.as_ref().ok().and_then(Option::as_ref).map(|stored| &*stored.credential)
    }

    pub(super) fn candidates(&self) -> [Option<&Candidate>; 2] {
        let environment = self.environment.as_ref().ok().and_then(Option::as_ref);
        let stored = self.stored.as_ref().ok().and_then(Option::as_ref);
        match self.environment_is_newer() {
            true => [environment, stored],
            false => [stored, environment],
        }
    }

    /// Returns whether the token of the environment is newer than the stored one.
    fn environment_is_newer(&self) -> bool {
        let Some(seen) = &self.seen else { return true };
        let stored = self.stored.as_ref().ok().and_then(Option::as_ref);
        let stored_at = stored.and_then(|stored| stored.credential.issued_at);
        !seen.replaced && (self.is_new || seen.seen_at() >= stored_at)
    }

    /// Records that a token was stored that replaces the one of the environment.
    pub(super) fn replaced(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.replaced = true;
            self.to_remember = true;
        }
    }

    pub(super) fn first_seen(&mut self, seen: SeenToken, is_new: bool) {
        if let Ok(Some(given)) = &mut self.environment {
            given.refused |= seen.refused;
        }
        self.learned.clone_from(&seen.gateway_id);
        // One that was used up is not stored over what replaced it.
        self.to_store &= !seen.replaced && !seen.refused;
        (self.seen, self.is_new, self.to_remember) = (Some(seen), is_new, is_new);
    }

    pub(super) fn has_writes(&self) -> bool {
        self.to_remember || (self.to_store && (self.works || matches!(self.stored, Ok(None))))
    }

    pub(super) fn learned_for(&self, credential: &Credential) -> Option<String> {
        self.learned.clone().filter(|_| self.is_in_environment(credential))
    }

    pub(super) fn is_in_environment(&self, credential: &Credential) -> bool {
        matches!(&self.environment, Ok(Some(given)) if given.credential.token == credential.token)
    }

    pub(super) fn is_environment(&self, candidate: &Candidate) -> bool {
        self.is_in_environment(&candidate.credential)
    }

    /// Returns the problem of a token that is not used.
    pub(super) fn problem(&self, now: SystemTime) -> Option<String> {
        if let Err(problem) = &self.environment {
            return Some(problem.clone());
        }
        if let Err(problem) = &self.stored {
            return Some(problem.clone());
        }
        let Ok(Some(given)) = &self.environment else { return None };
        let used = self.best(now).is_some_and(|best| self.is_environment(best));
        let seen = self.seen.as_ref().filter(|_| !used)?;
        let why = match () {
            () if seen.replaced => "a user has authorized this gateway since",
            () if given.refused => "the control plane refused it",
            () if given.credential.is_expired(now) => "it has expired",
            () => "the stored one is newer",
        };
        Some(format!("the machine token in {MACHINE_TOKEN} is not used, because {why}; unset the variable"))
    }

    /// Returns the first candidate that is neither expired nor refused, else the first that is not expired, else the
    /// first.
    pub(super) fn best(&self, now: SystemTime) -> Option<&Candidate> {
        let candidates = self.candidates();
        let first = |fits: &dyn Fn(&Candidate) -> bool| {
            candidates.into_iter().flatten().find(|candidate| fits(candidate))
        };
        first(&|candidate| !candidate.refused && !candidate.credential.is_expired(now))
            .or_else(|| first(&|candidate| !candidate.credential.is_expired(now)))
            .or_else(|| first(&|_| true))
    }

    pub(super) fn select(&self, now: SystemTime) -> Result<Arc<Credential>> {
        match self.best(now) {
            Some(candidate) if !candidate.credential.is_expired(now) => Ok(Arc::clone(&candidate.credential)),
            Some(Candidate { credential, .. }) => Err(Error::unavailable(format!(
                "the machine token of this gateway expired at {}; authorize the gateway again",
                DisplayTime(credential.expires_at.unwrap_or(now))
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

/// Reads the machine token of the environment.
///
/// # Errors
/// The message for a value that is none.
pub(super) fn parse_environment(given: &Secret) -> Result<Candidate, String> {
    let text = given.expose().trim();
    let credential = match text.starts_with('{') {
        true => Credential::from_json(text.as_bytes()).map(Credential::with_estimated_issue),
        false => Credential::from_bare(text),
    };
    let credential = credential.map_err(|e| {
        format!(
            "{MACHINE_TOKEN} cannot be used: {e}; set it to what `runbeam token:get --raw` prints, or to \
             {{\"machine_token\": \"...\", \"expires_at\": \"2030-01-31T00:00:00Z\", \"gateway_id\": \"...\"}}, or unset it \
             and authorize the gateway"
        )
    })?;
    Ok(Candidate { credential: Arc::new(credential), refused: false })
}
