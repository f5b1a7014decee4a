//! The state of the reference provider.

use std::fmt;
use std::sync::Mutex;

use provider_api::{Cadence, Clock as _, Error, ProviderName, Result};

use crate::factory::Factory;
use crate::mutation::Mutation;
use crate::store::Credential;

/// The state of a provider that keeps the contract, except for the rule that its mutation breaks.
pub(crate) struct Inner {
    pub(crate) factory: Factory,
    /// The URL of the configured control plane.
    pub(crate) api: String,
    pub(crate) name: ProviderName,
    pub(crate) cadence: Cadence,
    /// The version of the last list that `pending` has returned completely.
    pub(crate) version: Mutex<Option<u64>>,
    pub(crate) at_build: Option<Credential>,
}

impl Inner {
    pub(crate) fn new(
        factory: Factory,
        api: String,
        name: ProviderName,
        cadence: Cadence,
        at_build: Option<Credential>,
    ) -> Self {
        Self { factory, api, name, cadence, version: Mutex::default(), at_build }
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.factory.mutation == mutation
    }

    pub(crate) fn now(&self) -> u64 {
        self.factory.clock.unix_now()
    }

    /// Returns the credential for a request.
    pub(crate) fn credential(&self) -> Result<Credential> {
        let stored = match self.is(Mutation::CredentialFromBuild) {
            true => self.at_build.clone(),
            false => self.factory.disk.lock().unwrap().clone(),
        };
        let missing = |why: &'static str| match self.is(Mutation::MissingIsDenied) {
            true => Error::denied(why),
            false => Error::unavailable(why),
        };
        let stored = stored.ok_or_else(|| missing("the gateway is not authorized"))?;
        match stored.expires_at <= self.factory.clock.now() {
            true => Err(missing("the credential has expired")),
            false => Ok(stored),
        }
    }

    /// Records that the control plane has accepted or refused a credential.
    pub(crate) fn record_response(&self, token: &str, refused: bool) {
        if self.is(Mutation::NeverRefused) {
            return;
        }
        let mut disk = self.factory.disk.lock().unwrap();
        if let Some(credential) = disk.as_mut().filter(|credential| credential.token.matches(token)) {
            credential.refused = refused;
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reference");
        shown.field("name", &self.name);
        if self.is(Mutation::DebugShowsToken) {
            let disk = self.factory.disk.lock().unwrap();
            shown.field("token", &disk.as_ref().map(|credential| credential.token.expose().to_owned()));
        }
        if self.is(Mutation::DebugShowsIssuedTokens) {
            shown.field("last", &self.factory.shared.slot.lock().unwrap());
        }
        shown.finish_non_exhaustive()
    }
}
