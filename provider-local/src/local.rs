//! The provider: its state and its abilities.

use provider_api::{
    ConfigSource, Enrollment, MeshAuth, Provider, ProviderName, Publisher, Resolver, Retention,
};

use crate::mesh_auth::LocalMeshAuth;
use crate::resource_index::ResourceIndex;

/// The provider `local`. Its results depend only on the configuration it was built with and on the clock. It does no
/// I/O, and no call waits.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) name: ProviderName,
    pub(crate) resources: ResourceIndex,
    mesh_auth: LocalMeshAuth,
}

impl Local {
    pub(crate) fn new(name: ProviderName, resources: ResourceIndex, mesh_auth: LocalMeshAuth) -> Self {
        Self { name, resources, mesh_auth }
    }
}

impl Provider for Local {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn source(&self) -> Option<&dyn ConfigSource> {
        None
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        Some(self)
    }

    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        Some(&self.mesh_auth)
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }

    fn retention(&self) -> Option<&dyn Retention> {
        None
    }
}
