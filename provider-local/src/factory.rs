//! The factory and the settings of the provider `local`.

use std::sync::Arc;

use provider_api::{BuildContext, Error, InvalidSettings, Provider, ProviderFactory, SettingsProfile};
use serde::Deserialize;

use crate::local::Local;
use crate::mesh_auth::LocalMeshAuth;
use crate::mesh_keys::Keyring;
use crate::resource_index::ResourceIndex;

/// The factory of the provider `local`. It has no state: the provider depends on the configuration only.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFactory;

/// The settings of `[provider.local]`: none. The section is optional and its keys are ignored, so a configuration may
/// keep the keys of a remote provider (`api`, `poll_interval_secs`).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct LocalSettings {}

impl ProviderFactory for LocalFactory {
    const TYPE: &'static str = "local";
    type Settings = LocalSettings;

    /// Builds the provider: parses the keys of the local meshes. The resources are indexed when a reference is resolved
    /// first.
    ///
    /// # Errors
    /// [`Invalid`](provider_api::ErrorKind::Invalid) when a key of a local mesh is blank or cannot be
    /// parsed, when two local meshes have the same name, and when the name of the provider is not `local`.
    fn build(&self, context: BuildContext, _: LocalSettings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        // References and meshes name the provider `local`, so one with another name is never used.
        if !context.name.is_local() {
            return Err(Error::invalid(format!(
                "the provider of type `local` is always named `local`; the provider `{}` needs another type",
                context.name
            ))
            .into());
        }
        let keyring = Keyring::new(&context.inventory.meshes)?;
        Ok(Arc::new(Local::new(
            context.name,
            ResourceIndex::new(context.inventory),
            LocalMeshAuth::new(keyring, context.clock),
        )))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
    }
}
