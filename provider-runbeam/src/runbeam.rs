//! The provider: its state and its abilities.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use provider_api::{
    BuildContext, Cadence, ChangeId, ConfigSource, Enrollment, MeshAuth, Provider, ProviderName, Publisher,
    Resolver, Result, Retention,
};
use reqwest::header::HeaderValue;

use crate::api::Api;
use crate::call::{Bearer, Call};
use crate::credential::Credential;
use crate::credentials::Credentials;
use crate::key_sets::KeySets;
use crate::purpose::Purpose;

/// Runbeam Cloud as a provider: transport, wire types, and the mapping of responses to the contract. Ordering, retries
/// and caches of references and tokens belong to the host.
#[derive(Debug)]
pub(crate) struct Runbeam {
    pub(crate) context: BuildContext,
    pub(crate) api: Arc<Api>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) keys: Arc<KeySets>,
    pub(crate) cadence: Cadence,
    /// The ETag of the last list of pending changes, while the host has every change of it.
    pub(crate) pending_etag: ArcSwapOption<HeaderValue>,
    /// The reason for which changes of the last list are withheld.
    pub(crate) withheld: ArcSwapOption<String>,
    /// The listed changes whose details say that they are for another gateway, with the message.
    pub(crate) foreign: Mutex<BTreeMap<ChangeId, String>>,
}

impl Runbeam {
    /// Returns the machine token of the gateway.
    ///
    /// # Errors
    /// Unavailable when there is none or it has expired: a user has to authorize the gateway.
    pub(crate) async fn credential(&self) -> Result<Arc<Credential>> {
        self.credentials.current(self.context.clock.now()).await
    }

    /// Creates a call with the machine token of the gateway.
    pub(crate) fn call<'a>(
        &'a self,
        action: &'a str,
        purpose: Purpose,
        credential: &'a Credential,
    ) -> Call<'a> {
        Call { action, purpose, bearer: Bearer::Gateway(&self.credentials, credential), document: false }
    }
}

impl Provider for Runbeam {
    fn name(&self) -> &ProviderName {
        &self.context.name
    }

    fn source(&self) -> Option<&dyn ConfigSource> {
        Some(self)
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        Some(self)
    }

    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        Some(self)
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        Some(self)
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }

    fn retention(&self) -> Option<&dyn Retention> {
        Some(self)
    }
}
