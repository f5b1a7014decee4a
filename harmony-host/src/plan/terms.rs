//! The terms of a configuration: what the caches of its providers' answers depend on.

use provider_api::{Inventory, ProviderName};

use crate::config::Config;
use crate::providers::inventory::is_same_mesh;

/// The settings under which a configuration asks its primary provider. An answer to one configuration is valid for the next
/// if both have equal terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    primary: ProviderName,
    /// The digest of its type and settings, its credentials among them.
    identity: String,
    /// The id of this gateway: the sender of mesh tokens, and the name that the control plane knows.
    gateway: String,
    key_lifetime_hours: u64,
}

impl Terms {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            primary: config.primary.name.clone(),
            identity: config.primary.identity(),
            gateway: config.proxy.id.clone(),
            key_lifetime_hours: config.proxy.jwks_cache_duration_hours,
        }
    }

    /// Returns the identity of the settings of the primary provider.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns true if a token of the mesh called `name` that was issued or verified under the terms `before` is as good
    /// under these. A mesh with another id or key is another mesh, also if it has the same name.
    pub(crate) fn keep_tokens(
        &self,
        (before, inventory_before): (&Self, &Inventory),
        inventory: &Inventory,
        name: &str,
    ) -> bool {
        let old = inventory_before.meshes.iter().find(|mesh| mesh.identity.name == name);
        let new = inventory.meshes.iter().find(|mesh| mesh.identity.name == name);
        let (Some(old), Some(new)) = (old, new) else { return false };
        let same_terms =
            if new.provider.is_local() { self.gateway == before.gateway } else { self == before };
        same_terms && is_same_mesh(old, new)
    }
}
