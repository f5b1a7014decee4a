use std::fmt;
use std::sync::Mutex;

use provider_api::{Cadence, Clock as _, Error, ProviderName, Result};

use crate::factory::Factory;
use crate::mutation::Mutation;
use crate::store::Credential;

/// A provider that keeps the contract, unless a mutation has it break one point of it.
pub(crate) struct Reference {
    pub(crate) factory: Factory,
    /// The control plane it is configured for.
    pub(crate) api: String,
    pub(crate) name: ProviderName,
    pub(crate) cadence: Cadence,
    /// The version of the last list that the host has whole.
    pub(crate) version: Mutex<Option<u64>>,
    pub(crate) at_build: Option<Credential>,
}

impl Reference {
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

    /// The credential to ask with.
    pub(crate) fn credential(&self) -> Result<Credential> {
        let stored = match self.is(Mutation::CredentialOfBuild) {
            true => self.at_build.clone(),
            false => self.factory.disk.lock().unwrap().clone(),
        };
        let missing = |why: &'static str| match self.is(Mutation::MissingIsDenied) {
            true => Error::denied(why),
            false => Error::unavailable(why),
        };
        let stored = stored.ok_or_else(|| missing("nobody has authorized this gateway"))?;
        match stored.expires_at <= self.factory.clock.now() {
            true => Err(missing("the credential has ended")),
            false => Ok(stored),
        }
    }

    /// Notes what the control plane made of a credential.
    pub(crate) fn heard(&self, token: &str, refused: bool) {
        if self.is(Mutation::NeverRefused) {
            return;
        }
        let mut disk = self.factory.disk.lock().unwrap();
        if let Some(credential) = disk.as_mut().filter(|credential| credential.token.matches(token)) {
            credential.refused = refused;
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reference");
        shown.field("name", &self.name);
        if self.is(Mutation::DebugShowsTheToken) {
            let disk = self.factory.disk.lock().unwrap();
            shown.field("token", &disk.as_ref().map(|credential| credential.token.expose().to_owned()));
        }
        if self.is(Mutation::DebugShowsIssuedTokens) {
            shown.field("last", &self.factory.shared.slot.lock().unwrap());
        }
        shown.finish_non_exhaustive()
    }
}
