use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{
    BuildContext, BuildError, Clock, Inventory, MeshAuth, Provider, ProviderName, Reference, Registry,
    Resolver,
};

use crate::config::fragment::without_values;
use crate::config::provider::with_no_settings;
use crate::config::{Capabilities, Config, Primary};
use crate::diagnostics::problem::Problems;
use crate::documents::Documents;
use crate::providers::isolate::error_chain;
use crate::providers::resolutions::Resolutions;

/// The providers of one configuration: `local`, and the primary one when that is another.
#[derive(Clone, Debug)]
pub struct Providers {
    local: Option<Arc<dyn Provider>>,
    primary: Option<Arc<dyn Provider>>,
    primary_name: ProviderName,
    clock: Arc<dyn Clock>,
}

/// What providers are built with beside the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) registry: Registry,
    /// Primary where the configuration chooses none.
    pub(crate) default_provider: ProviderName,
    /// The services and middleware that are served.
    pub(crate) capabilities: Arc<Capabilities>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state_dir: std::path::PathBuf,
    /// Where references led before.
    pub(crate) resolutions: Arc<Resolutions>,
}

impl Providers {
    /// Builds the active providers. Does no I/O. Adds what they refuse to the problems.
    pub(crate) fn build(
        config: &Config,
        documents: &Documents,
        inventory: &Arc<Inventory>,
        surroundings: &Surroundings,
        problems: &mut Problems,
    ) -> Self {
        let context = |name: ProviderName| BuildContext {
            name,
            gateway: config.proxy.id.clone(),
            inventory: Arc::clone(inventory),
            state_dir: surroundings.state_dir.clone(),
            clock: Arc::clone(&surroundings.clock),
            key_lifetime: Duration::from_secs(config.proxy.jwks_cache_duration_hours * 3600),
        };
        let registry = &surroundings.registry;
        let name = ProviderName::local();
        // A gateway without the local provider compiled in has no local references and no local meshes.
        let local = registry.knows(name.as_str()).then(|| {
            with_no_settings(|settings| registry.build(name.as_str(), context(name.clone()), settings))
        });
        let local = local.and_then(|built| accept(built, &name, config, documents, problems));
        let Primary { name, section, .. } = &config.primary;
        let primary = (!name.is_local()).then(|| {
            let provider_type = config.primary.provider_type();
            match section {
                Some(section) => {
                    section.with_settings(|s| registry.build(provider_type, context(name.clone()), s))
                }
                None => with_no_settings(|s| registry.build(provider_type, context(name.clone()), s)),
            }
        });
        let primary = primary.and_then(|built| accept(built, name, config, documents, problems));
        Self { local, primary, primary_name: name.clone(), clock: Arc::clone(&surroundings.clock) }
    }

    /// The provider called `name`, when it is active.
    pub fn get(&self, name: &ProviderName) -> Option<&Arc<dyn Provider>> {
        if name.is_local() {
            return self.local.as_ref();
        }
        self.primary.as_ref().filter(|_| *name == self.primary_name)
    }

    /// How long until `moment`; nothing when it is over.
    pub(crate) fn time_until(&self, moment: SystemTime) -> Duration {
        moment.duration_since(self.clock.now()).unwrap_or_default()
    }

    /// The primary provider.
    pub fn primary(&self) -> Option<&Arc<dyn Provider>> {
        self.get(&self.primary_name)
    }

    /// The name of the primary provider.
    pub fn primary_name(&self) -> &ProviderName {
        &self.primary_name
    }

    /// Who resolves `reference`.
    pub fn resolver(&self, reference: &Reference) -> Option<&dyn Resolver> {
        self.get(reference.provider())?.resolver()
    }

    /// Who issues and verifies tokens of the provider called `name`.
    pub fn mesh_auth(&self, name: &ProviderName) -> Option<&dyn MeshAuth> {
        self.get(name)?.mesh_auth()
    }
}

/// The provider, or the problems that its factory found.
fn accept(
    built: Result<Arc<dyn Provider>, BuildError>,
    name: &ProviderName,
    config: &Config,
    documents: &Documents,
    problems: &mut Problems,
) -> Option<Arc<dyn Provider>> {
    let section = config.primary.section.as_ref().filter(|_| *name == config.primary.name);
    let key = format!("provider.{name}");
    match built {
        Ok(provider) => return Some(provider),
        // Reported with place and remedy when the configuration was merged.
        Err(BuildError::UnknownType { .. }) => {}
        Err(BuildError::Invalid(invalid)) => {
            for error in invalid.errors() {
                let place = error.key().and_then(|key| documents.place_of(key));
                let place = place.or_else(|| Some(section?.place.clone()));
                let message = without_values(&error_chain(error));
                problems.error(place.as_ref(), error.key().unwrap_or(&key), message);
            }
        }
        Err(error) => {
            let span = match &error {
                BuildError::Settings { span, .. } => span.clone(),
                _ => None,
            };
            let place = section.map(|section| section.place_of(span));
            problems.error(place.as_ref(), key, without_values(&error.to_string()));
        }
    }
    None
}
