use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

use crate::{Catalogue, Clock, Error, Provider, ProviderName, Result};

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
    /// [`Invalid`](crate::ErrorKind::Invalid) when the settings or the catalogue do not make a provider.
    fn build(&self, context: BuildContext, settings: Self::Settings) -> Result<Arc<dyn Provider>>;
}

/// What a provider is built with.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The name the configuration gives it.
    pub name: ProviderName,
    /// The id of this gateway.
    pub gateway: String,
    /// What the configuration declares.
    pub catalogue: Arc<Catalogue>,
    /// A directory of this gateway that providers may keep files in.
    pub state_dir: PathBuf,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How long a published key set may be used without asking for it again, 1 to 168 hours.
    pub key_lifetime: Duration,
}

/// The provider types that are compiled into a gateway. An ordinary value: no globals, nothing that
/// registers itself.
#[derive(Clone, Default)]
pub struct Registry {
    factories: BTreeMap<&'static str, Arc<dyn ErasedFactory>>,
}

/// Why a provider was not built.
#[derive(Debug)]
pub enum BuildError {
    /// No factory of that type is compiled in.
    UnknownType {
        /// The types that are.
        known: Vec<&'static str>,
    },
    /// The section cannot be decoded into the factory's settings.
    Settings {
        /// What is wrong, as the decoder says it: it may quote the value, so it is not to be shown as it is.
        message: String,
        /// Where, in bytes of the text the section was parsed from.
        span: Option<Range<usize>>,
    },
    /// The factory refused.
    Refused(Error),
}

trait ErasedFactory: Send + Sync {
    fn build(
        &self,
        context: BuildContext,
        settings: ValueDeserializer<'_>,
    ) -> Result<Arc<dyn Provider>, BuildError>;
}

impl<F: ProviderFactory> ErasedFactory for F {
    fn build(
        &self,
        context: BuildContext,
        settings: ValueDeserializer<'_>,
    ) -> Result<Arc<dyn Provider>, BuildError> {
        let settings = <F::Settings as serde::Deserialize>::deserialize(settings)
            .map_err(|e| BuildError::Settings { message: e.message().to_owned(), span: e.span() })?;
        ProviderFactory::build(self, context, settings).map_err(BuildError::Refused)
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

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { known } => {
                write!(f, "no such provider is compiled in; compiled in: {}", known.join(", "))
            }
            Self::Settings { message, .. } => f.write_str(message),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}
