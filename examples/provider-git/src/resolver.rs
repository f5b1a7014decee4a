//! Resolving references to ingresses that teams declare in the repository.

use std::time::Duration;

use git2::{Commit, Repository};
use provider_api::*;
use toml::{Table, Value};

use crate::branch::Branch;
use crate::provider::{GitProvider, unavailable};

/// The freshness of a result: the branch can move at any time.
const FRESH: Duration = Duration::from_secs(60);

#[async_trait]
impl Resolver for GitProvider {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        if *reference.provider() != self.name {
            return Err(Error::invalid(format!("{reference} belongs to another provider")));
        }
        let reference = reference.clone();
        self.run_blocking(move |branch| resolve(branch, &reference)).await
    }
}

/// Resolves a reference at the head of the branch, which must have an allowed signature.
fn resolve(branch: &Branch, reference: &Reference) -> Result<Resolved> {
    let unknown = || Error::not_found(format!("{reference} is not declared in the repository"));
    let Scope::Typed(team, ResourceType::Ingress) = reference.scope() else { return Err(unknown()) };
    let (ResourceKey::Name(name) | ResourceKey::Id(name)) = reference.key();
    let repository = branch.open()?;
    let head = branch.head(&repository)?;
    branch.signers.check(&repository, head.id())?;
    let found = find_ingress(&repository, &head, team, name).map_err(unavailable("the head cannot be read"));
    let ingress = found?.ok_or_else(unknown)?;
    let mut resource = Resource::new(ResourceType::Ingress, name, name);
    resource.team_id = Some(team.clone());
    resource.enabled = ingress.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let urls = ingress.get("urls").and_then(Value::as_array).into_iter().flatten();
    resource.urls = urls.filter_map(|url| url.as_str().map(str::to_owned)).collect();
    Ok(Resolved { resource, fresh: Freshness::For(FRESH) })
}

type FindResult = Result<Option<Table>, git2::Error>;

/// Finds an ingress in the pipeline files of a team.
fn find_ingress(repository: &Repository, head: &Commit<'_>, team: &str, name: &str) -> FindResult {
    let Ok(directory) = head.tree()?.get_path(format!("{team}/pipelines").as_ref()) else { return Ok(None) };
    let Some(directory) = directory.to_object(repository)?.into_tree().ok() else { return Ok(None) };
    for file in directory.iter() {
        let Some(blob) = file.to_object(repository)?.into_blob().ok() else { continue };
        // A file with a syntax error must not affect the other files of the team.
        let text = std::str::from_utf8(blob.content()).ok();
        let Some(file) = text.and_then(|text| text.parse::<Table>().ok()) else { continue };
        let pipelines = file.get("pipelines").and_then(Value::as_table).into_iter().flatten();
        let mut ingresses = pipelines.filter_map(|(_, body)| body.get("mesh")?.get("ingress")?.get(name));
        if let Some(found) = ingresses.next().and_then(Value::as_table) {
            return Ok(Some(found.clone()));
        }
    }
    Ok(None)
}
