//! The factory: building providers of one type from a section of the configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Clock, InvalidSettings, Inventory, Provider, ProviderName, SettingsProfile};

/// Builds providers of one type.
///
/// A host builds a new provider for every configuration, also for one that it then rejects. State that must
/// survive a new configuration, such as a connection pool or the machine credential, belongs in the factory.
pub trait ProviderFactory: Send + Sync + 'static {
    /// The name of the type in configurations. A section `[provider.<name>]` has the type `<name>` unless its
    /// key `type` names another one.
    const TYPE: &'static str;

    /// The decoded form of the section `[provider.<name>]`.
    ///
    /// The section also contains the host's own keys `type`, `poll_interval_secs` and `enabled`. A type that denies
    /// unknown fields must list them.
    type Settings: DeserializeOwned;

    /// Builds a provider.
    ///
    /// Does no I/O, starts no task and does not block: a host calls this while it checks a configuration, and
    /// a gateway starts while its control plane is down.
    ///
    /// # Errors
    /// All errors in the settings and the inventory, each of the kind
    /// [`Invalid`](crate::ErrorKind::Invalid) and with its configuration [key](crate::Error::with_key). A
    /// single [`Error`](crate::Error) converts with `?`.
    fn build(
        &self,
        context: BuildContext,
        settings: Self::Settings,
    ) -> Result<Arc<dyn Provider>, InvalidSettings>;

    /// Returns the facts about the settings that a host needs before it builds a provider.
    fn profile(&self) -> SettingsProfile;

    /// Returns whether its providers read the resources of their inventory; true unless implemented. A provider that does
    /// not is kept over an edit of pipelines, and its inventory has none.
    fn uses_resources(&self) -> bool {
        true
    }
}

/// The environment of a new provider.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The name of the provider in the configuration.
    pub name: ProviderName,
    /// The id of this gateway.
    pub gateway: String,
    /// The resources and meshes of the configuration.
    pub inventory: Arc<Inventory>,
    /// The directory of this gateway in which providers may store files.
    pub state_dir: PathBuf,
    /// The wall clock. Use it for the expiry of tokens and credentials, so that tests can turn it.
    pub clock: Arc<dyn Clock>,
    /// The time for which a published key set may be used without a new fetch, 1 to 168 hours.
    pub key_lifetime: Duration,
}
