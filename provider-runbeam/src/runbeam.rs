use std::sync::Arc;

use arc_swap::ArcSwapOption;
use provider_api::{
    BuildContext, Cadence, ConfigSource, Enrollment, Error, MeshAuth, Provider, ProviderName, Publisher,
    Resolver, Result, Retention,
};
use reqwest::header::HeaderValue;

use crate::api::Api;
use crate::call::{Bearer, Call};
use crate::credential::Credential;
use crate::credentials::Credentials;
use crate::key_sets::KeySets;
use crate::status::Asking;

/// Runbeam Cloud as a provider. Transport, wire types and the translation of answers; order, retries and
/// caches are the host's.
#[derive(Debug)]
pub(crate) struct Runbeam {
    pub(crate) context: BuildContext,
    pub(crate) api: Arc<Api>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) keys: Arc<KeySets>,
    pub(crate) cadence: Cadence,
    /// The ETag of the last list of pending changes, as long as the host is known to have it whole.
    pub(crate) pending_etag: ArcSwapOption<HeaderValue>,
}

impl Runbeam {
    /// The gateway's own credential.
    ///
    /// # Errors
    /// Unavailable when there is none, or it has expired: somebody has to authorize the gateway.
    pub(crate) async fn credential(&self) -> Result<Arc<Credential>> {
        self.credentials.current(self.context.clock.now()).await
    }

    /// A question in the gateway's own name.
    pub(crate) fn call<'a>(&'a self, what: &'a str, asking: Asking, credential: &'a Credential) -> Call<'a> {
        Call { what, asking, bearer: Bearer::Gateway(&self.credentials, credential) }
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

/// What is wrong with an answer that has a blank where something must stand.
pub(crate) fn blank(what: &str, field: &str) -> Error {
    Error::unavailable(format!("{what}: the answer has no usable `{field}`"))
}
