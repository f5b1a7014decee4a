//! The provider types of a gateway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use toml::de::ValueDeserializer;

use crate::{BuildContext, BuildError, Provider, ProviderFactory, SettingsProfile};

/// The provider types that are compiled into a gateway. An ordinary value: no globals, nothing that
/// registers itself.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Arc<dyn ErasedFactory>>,
}

trait ErasedFactory: Send + Sync {
    fn build(
        &self,
        context: BuildContext,
        settings: ValueDeserializer<'_>,
    ) -> Result<Arc<dyn Provider>, BuildError>;

    fn profile(&self) -> SettingsProfile;
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
}

impl Registry {
    /// A registry that knows no type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type. The last factory registered for a type is the one that builds it.
    pub fn register<F: ProviderFactory>(&mut self, factory: F) -> &mut Self {
        self.factories.insert(F::TYPE, Arc::new(factory));
        self
    }

    /// The types that are compiled in, in alphabetical order.
    pub fn types(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.factories.keys().copied()
    }

    /// Whether `provider_type` is compiled in.
    pub fn knows(&self, provider_type: &str) -> bool {
        self.factories.contains_key(provider_type)
    }

    /// The facts about the settings of `provider_type`; `None` when it is not compiled in.
    pub fn profile(&self, provider_type: &str) -> Option<SettingsProfile> {
        self.factories.get(provider_type).map(|factory| factory.profile())
    }

    /// Builds a provider of `provider_type` from its section of the configuration.
    ///
    /// # Errors
    /// See [`BuildError`]; each variant is a refusal of the configuration.
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
