//! Resolution of local references.

use provider_api::{Error, Freshness, Reference, Resolved, Resolver, Result, async_trait};

use crate::local::Local;
use crate::resource_index::OWNER;

#[async_trait]
impl Resolver for Local {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        if reference.provider() != &self.name {
            return Err(Error::invalid(format!(
                "`{reference}` is for the provider `{}`, not for `{}`",
                reference.provider(),
                self.name
            )));
        }
        if let Some(team) = reference.team()
            && team != OWNER
        {
            return Err(Error::not_found(format!(
                "`{reference}`: the provider `local` has one owner, `{OWNER}`, and no team `{team}`"
            )));
        }
        let resource = self.resources.find(reference)?;
        if !resource.enabled {
            return Err(Error::denied(format!(
                "`{reference}`: the {} `{}` is disabled",
                resource.kind, resource.name
            )));
        }
        Ok(Resolved { resource: resource.clone(), fresh: Freshness::UntilReload })
    }
}
