//! The set of active providers, built from a configuration.

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
use crate::diagnostics::source::Place;
use crate::documents::Documents;
use crate::documents::origins::Origins;
use crate::providers::inventory::has_same_meshes;
use crate::providers::isolate::error_chain;
use crate::providers::resolutions::Resolutions;
use crate::storage::digest::Digest;

/// The providers of one configuration: `local`, and the primary one when that is another.
#[derive(Clone, Debug)]
pub struct Providers {
    local: Option<Arc<dyn Provider>>,
    primary: Option<Arc<dyn Provider>>,
    primary_name: ProviderName,
    clock: Arc<dyn Clock>,
    inputs: Inputs,
}

/// The inputs of the providers. Those of the next configuration with equal inputs are the same objects.
#[derive(Clone, Debug)]
struct Inputs {
    /// The digest of the type and all settings of the primary provider.
    settings: Digest,
    gateway: String,
    key_lifetime: Duration,
    inventory: Arc<Inventory>,
}

/// The parts of the host that a configuration is built with.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) registry: Registry,
    /// The primary provider of a configuration that names none.
    pub(crate) default_provider: ProviderName,
    /// The services and middleware that are served.
    pub(crate) capabilities: Arc<Capabilities>,
    /// Set to accept unknown keys with a warning.
    pub(crate) allow_unknown_keys: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state_dir: std::path::PathBuf,
    /// The record of what came from a control plane.
    pub(crate) origins: Arc<Origins>,
    /// The cached resolutions.
    pub(crate) resolutions: Arc<Resolutions>,
}

impl Providers {
    /// Builds the active providers. Takes over the primary one of `before` if its inputs are the same; the local one is built
    /// for every configuration, since its resources are the configuration. Does no I/O. Adds an error for each setting that a
    /// provider rejects.
    pub(crate) fn build(
        config: &Config,
        documents: &Documents,
        inventory: Inventory,
        surroundings: &Surroundings,
        before: Option<&Self>,
        problems: &mut Problems,
    ) -> Self {
        let registry = &surroundings.registry;
        let provider_type = config.primary.provider_type();
        let uses_resources = !config.primary.name.is_local() && registry.uses_resources(provider_type);
        let same = before.filter(|before| {
            let old = &before.inputs.inventory;
            before.primary_name == config.primary.name
                && before.inputs.has(config)
                && has_same_meshes(old, &inventory)
                && (!uses_resources || *old.resources == *inventory.resources)
        });
        let inputs = Inputs {
            settings: config.primary.settings_digest(),
            gateway: config.proxy.id.clone(),
            key_lifetime: key_lifetime(config),
            inventory: Arc::new(inventory),
        };
        let context = |name: ProviderName, inventory: Arc<Inventory>| BuildContext {
            name,
            gateway: config.proxy.id.clone(),
            inventory,
            state_dir: surroundings.state_dir.clone(),
            clock: Arc::clone(&surroundings.clock),
            key_lifetime: inputs.key_lifetime,
        };
        let name = ProviderName::local();
        // A gateway without the local provider compiled in has no local references and no local meshes.
        let local = registry.knows(name.as_str()).then(|| {
            let context = context(name.clone(), Arc::clone(&inputs.inventory));
            with_no_settings(|settings| registry.build(name.as_str(), context, settings))
        });
        let local = local.and_then(|built| accept(built, &name, config, documents, problems));
        let Primary { name, section, .. } = &config.primary;
        let build = || {
            // Without the resources, a provider that outlives this configuration does not keep it in memory.
            let inventory = match uses_resources {
                true => Arc::clone(&inputs.inventory),
                false => {
                    Arc::new(Inventory { meshes: inputs.inventory.meshes.clone(), ..Inventory::default() })
                }
            };
            let context = context(name.clone(), inventory);
            match section {
                Some(section) => section.with_settings(|s| registry.build(provider_type, context, s)),
                None => with_no_settings(|s| registry.build(provider_type, context, s)),
            }
        };
        let primary = match same {
            _ if name.is_local() => None,
            Some(same) => same.primary.clone(),
            None => accept(build(), name, config, documents, problems),
        };
        Self { local, primary, primary_name: name.clone(), clock: Arc::clone(&surroundings.clock), inputs }
    }

    /// Returns the resources and meshes that the providers were built with.
    pub(crate) fn inventory(&self) -> &Arc<Inventory> {
        &self.inputs.inventory
    }

    /// Returns the active provider called `name`.
    pub fn get(&self, name: &ProviderName) -> Option<&Arc<dyn Provider>> {
        if name.is_local() {
            return self.local.as_ref();
        }
        self.primary.as_ref().filter(|_| *name == self.primary_name)
    }

    /// Returns the time until `moment`; zero when it has passed.
    pub(crate) fn time_until(&self, moment: SystemTime) -> Duration {
        moment.duration_since(self.now()).unwrap_or_default()
    }

    /// Returns the time of the wall clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Returns the primary provider; `None` when it is not compiled in.
    pub fn primary(&self) -> Option<&Arc<dyn Provider>> {
        self.get(&self.primary_name)
    }

    /// Returns the name of the primary provider.
    pub fn primary_name(&self) -> &ProviderName {
        &self.primary_name
    }

    /// Returns the resolver for `reference`; `None` when its provider is not active or resolves no references.
    pub fn resolver(&self, reference: &Reference) -> Option<&dyn Resolver> {
        self.get(reference.provider())?.resolver()
    }

    /// Returns the issuer and verifier of mesh tokens of the provider called `name`.
    pub fn mesh_auth(&self, name: &ProviderName) -> Option<&dyn MeshAuth> {
        self.get(name)?.mesh_auth()
    }
}

impl Inputs {
    /// Returns true if the settings are those of `config`.
    fn has(&self, config: &Config) -> bool {
        self.gateway == config.proxy.id
            && self.key_lifetime == key_lifetime(config)
            && self.settings == config.primary.settings_digest()
    }
}

fn key_lifetime(config: &Config) -> Duration {
    Duration::from_secs(config.proxy.jwks_cache_duration_hours * 3600)
}

/// Returns the provider, or adds the errors of its factory to the problems.
fn accept(
    built: Result<Arc<dyn Provider>, BuildError>,
    name: &ProviderName,
    config: &Config,
    documents: &Documents,
    problems: &mut Problems,
) -> Option<Arc<dyn Provider>> {
    let section = config.primary.section.as_ref().filter(|_| *name == config.primary.name);
    // The host has checked the types and ranges of the keys that it knows. A provider that finds the same mistake again
    // adds nothing.
    let is_known = |problems: &Problems, key: &str, place: Option<&Place>| {
        problems.errors().any(|known| {
            known.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                || place.is_some_and(|place| known.place.as_ref().is_some_and(|at| at.is_same(place)))
        })
    };
    let key = format!("provider.{name}");
    match built {
        Ok(provider) => return Some(provider),
        // `Config::merge` has reported it, with its place and a remedy.
        Err(BuildError::UnknownType { .. }) => {}
        Err(BuildError::Invalid(invalid)) => {
            for error in invalid.errors() {
                let written = error.key().and_then(|key| section?.written(name, key));
                let (key, place) = match written {
                    Some((key, place)) => (key, Some(place)),
                    None => {
                        let place = error.key().and_then(|key| documents.place_of(key));
                        let place = place.or_else(|| Some(section?.place.clone()));
                        (error.key().unwrap_or(&key).to_owned(), place)
                    }
                };
                if !is_known(problems, &key, place.as_ref()) {
                    problems.error(place.as_ref(), key, without_values(&error_chain(error)));
                }
            }
        }
        Err(error) => {
            let span = match &error {
                BuildError::Settings { span, .. } => span.clone(),
                _ => None,
            };
            let own = span.as_ref().and_then(|span| section?.key_at(span));
            let key = own.map_or(key.clone(), |own| format!("{key}.{own}"));
            let place = section.map(|section| section.place_of(span));
            if !is_known(problems, "", place.as_ref()) {
                problems.error(place.as_ref(), key, without_values(&error.to_string()));
            }
        }
    }
    None
}
