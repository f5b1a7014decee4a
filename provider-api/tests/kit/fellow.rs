use std::sync::Arc;

use provider_api::{
    ConfigSource, Enrollment, MeshAuth, Provider, ProviderName, Publisher, Resolver, Retention,
};

use crate::mutation::Mutation;
use crate::reference::Reference;

/// The reference as a provider. Its calls run where they are made, unless it is a mutant that detaches them.
#[derive(Debug)]
pub(crate) struct Fellow(pub(crate) Arc<Reference>);

impl Provider for Fellow {
    fn name(&self) -> &ProviderName {
        &self.0.name
    }

    fn source(&self) -> Option<&dyn ConfigSource> {
        Some(self)
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        let failed = *self.0.factory.shared.failed.lock().unwrap();
        (!(failed && self.0.is(Mutation::LosesAnAbility))).then_some(self as &dyn Resolver)
    }

    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        Some(self)
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        Some(self)
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        (!self.0.is(Mutation::NoPublisher)).then_some(self as &dyn Publisher)
    }

    fn retention(&self) -> Option<&dyn Retention> {
        Some(self)
    }
}
