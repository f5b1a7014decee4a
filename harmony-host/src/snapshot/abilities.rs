//! The check that the providers of a configuration have the abilities that it needs.

use crate::config::{Config, Destination};
use crate::diagnostics::problem::Problems;
use crate::providers::Providers;

/// Adds an error for each ability that the configuration needs and its provider does not have.
pub(super) fn check_abilities(config: &Config, providers: &Providers, problems: &mut Problems) {
    for linked in config.meshes.iter() {
        let Some(provider) = providers.get(&linked.provider) else { continue };
        if provider.mesh_auth().is_none() {
            let place = linked.mesh.provider.as_ref().map(|at| &at.place);
            let message = format!("the provider `{}` issues and verifies no mesh tokens", linked.provider);
            problems.error(place, format!("mesh.{}.provider", linked.mesh.name), message);
        }
    }
    for linked in &config.pipelines {
        let Some(backend) = &linked.backend else { continue };
        let Destination::Resource(reference) = &backend.destination else { continue };
        let Some(provider) = providers.get(reference.provider()) else { continue };
        if provider.resolver().is_none() {
            let place = backend.backend.target_ref.as_ref().map(|at| &at.place);
            let message = format!("the provider `{}` resolves no references", reference.provider());
            problems.error(place, format!("backends.{}.target_ref", backend.backend.name), message);
        }
    }
}
