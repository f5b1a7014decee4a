//! The registry of the provider types of a gateway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::de::ValueDeserializer;

use crate::{BuildContext, BuildError, Provider, ProviderFactory, SettingsProfile};

/// The provider types that are compiled into a gateway.
///
/// An ordinary value without globals and without constructors run by the linker: `main` shows which types a
/// gateway has, and a test can make a registry of its own.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Arc<dyn ErasedFactory>>,
}

/// A factory without its associated types, so that factories of different types fit into one map.
trait ErasedFactory: Send + Sync {
    fn build(
        &self,
        context: BuildContext,
        settings: ValueDeserializer<'_>,
    ) -> Result<Arc<dyn Provider>, BuildError>;

    fn profile(&self) -> SettingsProfile;

    fn uses_resources(&self) -> bool;
}

impl<F: ProviderFactory> ErasedFactory for F {
    fn build(
        &self,
        context: BuildContext,
        settings: ValueDeserializer<'_>,
    ) -> Result<Arc<dyn Provider>, BuildError> {
        let settings = <F::Settings as serde::Deserialize>::deserialize(settings)
            .map_err(|e| BuildError::Settings { message: e.message().to_owned(), span: e.span() })?;
        ProviderFactory::build(self, context, settings).map_err(BuildError::Invalid)
    }

    fn profile(&self) -> SettingsProfile {
        ProviderFactory::profile(self)
    }

    fn uses_resources(&self) -> bool {
        ProviderFactory::uses_resources(self)
    }
}

impl Registry {
    /// Creates an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a factory under its [`TYPE`](ProviderFactory::TYPE). Replaces an earlier factory of the same
    /// type.
    pub fn register<F: ProviderFactory>(&mut self, factory: F) -> &mut Self {
        self.factories.insert(F::TYPE, Arc::new(factory));
        self
    }

    /// Returns the registered types in alphabetical order.
    pub fn types(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.factories.keys().copied()
    }

    /// Returns true when `provider_type` is registered.
    pub fn knows(&self, provider_type: &str) -> bool {
        self.factories.contains_key(provider_type)
    }

    /// Returns the settings profile of `provider_type`, or `None` when the type is not registered.
    pub fn profile(&self, provider_type: &str) -> Option<SettingsProfile> {
        self.factories.get(provider_type).map(|factory| factory.profile())
    }

    /// Returns whether providers of `provider_type` read the resources of their inventory; false when the type is not
    /// registered.
    pub fn uses_resources(&self, provider_type: &str) -> bool {
        self.factories.get(provider_type).is_some_and(|factory| factory.uses_resources())
    }

    /// Decodes `settings`, a section `[provider.<name>]`, and builds a provider of `provider_type` from it.
    ///
    /// # Errors
    /// See [`BuildError`]. Each variant rejects the configuration.
    pub fn build(
        &self,
        provider_type: &str,
        context: BuildContext,
        settings: ValueDeserializer<'_>,
    ) -> Result<Arc<dyn Provider>, BuildError> {
        let factory = self
            .factories
            .get(provider_type)
            .ok_or_else(|| BuildError::UnknownType { known: self.types().collect() })?;
        factory.build(context, settings)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types()).finish()
    }
}
