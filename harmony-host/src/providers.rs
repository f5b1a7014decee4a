use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{
    BuildContext, BuildError, Catalogue, Clock, MeshAuth, Provider, ProviderName, Reference, Registry,
    Resolver,
};

use crate::config::provider::with_no_settings;
use crate::config::{Config, Primary};
use crate::problem::Problems;
use crate::resolutions::Resolutions;

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
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state_dir: std::path::PathBuf,
    /// Where references led before.
    pub(crate) resolutions: Arc<Resolutions>,
}

impl Providers {
    /// Builds the active providers. Does no I/O. Adds what they refuse to the problems.
    pub(crate) fn build(
        config: &Config,
        catalogue: &Arc<Catalogue>,
        surroundings: &Surroundings,
        problems: &mut Problems,
    ) -> Self {
        let context = |name: ProviderName| BuildContext {
            name,
            gateway: config.proxy.id.clone(),
            catalogue: Arc::clone(catalogue),
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
        let local = local.and_then(|built| match built {
            Err(BuildError::Refused(_))
                if refused_meshes(config, catalogue, &context, registry, problems) =>
            {
                None
            }
            built => accept(built, &name, None, problems),
        });
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
        let primary = primary.and_then(|built| accept(built, name, Some(&config.primary), problems));
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

/// Builds the local provider once per mesh, to say of each one what is wrong with it. Whether any was.
fn refused_meshes(
    config: &Config,
    catalogue: &Catalogue,
    context: &impl Fn(ProviderName) -> BuildContext,
    registry: &Registry,
    problems: &mut Problems,
) -> bool {
    let mut refused = false;
    for linked in &config.meshes {
        let own = catalogue.meshes.iter().filter(|mesh| mesh.identity == *linked.identity).cloned().collect();
        let name = ProviderName::local();
        let context = BuildContext {
            catalogue: Arc::new(Catalogue { resources: Vec::new(), meshes: own }),
            ..context(name.clone())
        };
        let Err(error) = with_no_settings(|settings| registry.build(name.as_str(), context, settings)) else {
            continue;
        };
        refused = true;
        let mesh = &linked.mesh;
        let secret = mesh.jwt_secret.as_ref().map(|at| &at.place);
        let private = mesh.jwt_private_key_path.as_ref().map(|at| &at.place);
        let public = mesh.jwt_public_key_path.as_ref().map(|at| &at.place);
        let message = error.to_string();
        let place = match message.contains("jwt_public_key_path") {
            true => secret.or(public),
            false => secret.or(private).or(public),
        };
        problems.error(place.or(Some(&mesh.place)), format!("mesh.{}", mesh.name), message);
    }
    refused
}

fn accept(
    built: Result<Arc<dyn Provider>, BuildError>,
    name: &ProviderName,
    primary: Option<&Primary>,
    problems: &mut Problems,
) -> Option<Arc<dyn Provider>> {
    let error = match built {
        Ok(provider) => return Some(provider),
        // Said already, with the place and the remedy, when the configuration was merged.
        Err(BuildError::UnknownType { .. }) => return None,
        Err(error) => error,
    };
    let section = primary.and_then(|primary| primary.section.as_ref());
    let span = match &error {
        BuildError::Settings { span, .. } => span.clone(),
        _ => None,
    };
    let place = section.map(|section| section.place_of(span));
    let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
    let message = crate::config::fragment::without_values(&format!("{error}{cause}"));
    problems.error(place.as_ref(), format!("provider.{name}"), message);
    None
}
