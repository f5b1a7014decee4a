//! The reference provider as an implementation of `Provider`.

use std::sync::Arc;

use provider_api::{
    ConfigSource, Enrollment, MeshAuth, Provider, ProviderName, Publisher, Resolver, Retention,
};

use crate::inner::Inner;
use crate::mutation::Mutation;

/// The reference provider. A newtype, so that the traits can be implemented for a shared `Arc`.
#[derive(Debug)]
pub(crate) struct ReferenceProvider(pub(crate) Arc<Inner>);

impl Provider for ReferenceProvider {
    fn name(&self) -> &ProviderName {
        &self.0.name
    }

    fn source(&self) -> Option<&dyn ConfigSource> {
        Some(self)
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        let failed = *self.0.factory.shared.failed.lock().unwrap();
        (!(failed && self.0.is(Mutation::LosesAbility))).then_some(self as &dyn Resolver)
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
