//! Making providers of one type from a section of the configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Clock, InvalidSettings, Inventory, Provider, ProviderName, SettingsProfile};

/// Makes providers of one type.
///
/// What must survive a new configuration, such as a connection pool or the machine credential, lives in
/// the factory; the rest in the provider, which is built anew with every snapshot.
pub trait ProviderFactory: Send + Sync + 'static {
    /// The type as configurations name it. A section `[provider.<name>]` is of the type `<name>` unless
    /// it has a key `type`.
    const TYPE: &'static str;

    /// What the section `[provider.<name>]` is decoded into. The host's own keys `type` and
    /// `poll_interval_secs` are in it as well; ignore what is not yours, or deny it.
    type Settings: DeserializeOwned;

    /// Builds a provider. Does no I/O and does not wait: this runs while a configuration is checked, also
    /// for one that will be refused.
    ///
    /// # Errors
    /// Everything that is wrong with the settings or the inventory, each as an
    /// [`Invalid`](crate::ErrorKind::Invalid) error with the key it is about. One [`Error`](crate::Error) converts with
    /// `?`.
    fn build(
        &self,
        context: BuildContext,
        settings: Self::Settings,
    ) -> Result<Arc<dyn Provider>, InvalidSettings>;

    /// Facts about the settings that a host needs before it builds anything.
    fn profile(&self) -> SettingsProfile;
}

/// What a provider is built with.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The name the configuration gives it.
    pub name: ProviderName,
    /// The id of this gateway.
    pub gateway: String,
    /// What the configuration declares.
    pub inventory: Arc<Inventory>,
    /// A directory of this gateway that providers may keep files in.
    pub state_dir: PathBuf,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How long a published key set may be used without asking for it again, 1 to 168 hours.
    pub key_lifetime: Duration,
}
