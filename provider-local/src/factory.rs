use std::sync::Arc;

use provider_api::{BuildContext, Error, InvalidSettings, Provider, ProviderFactory, SettingsProfile};
use serde::Deserialize;

use crate::local::Local;
use crate::mesh_auth::LocalMeshAuth;
use crate::mesh_keys::Keyring;
use crate::resource_index::ResourceIndex;

/// Makes the provider `local`. It holds nothing: all that the provider knows is in the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFactory;

/// What `[provider.local]` may say: anything. The section is not needed, and configurations that carry one
/// over from a remote provider (`api`, `poll_interval_secs`) mean the same without it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct LocalSettings {}

impl ProviderFactory for LocalFactory {
    const TYPE: &'static str = "local";
    type Settings = LocalSettings;

    /// Indexes the resources and parses the keys of the local meshes.
    ///
    /// # Errors
    /// [`Invalid`](provider_api::ErrorKind::Invalid) when a key of a local mesh is blank or cannot be
    /// parsed, when two local meshes share a name, and when the provider is to have another name than `local`.
    fn build(&self, context: BuildContext, _: LocalSettings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        // References and meshes say `local`; under another name nothing could reach this provider.
        if !context.name.is_local() {
            return Err(Error::invalid(format!(
                "a provider of type `local` is always there under the name `local`; `{}` needs another type",
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
