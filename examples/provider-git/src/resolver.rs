use std::time::Duration;

use git2::{Commit, Repository};
use provider_api::*;
use toml::{Table, Value};

use crate::followed::Followed;
use crate::git::{Git, unavailable};

/// How long an answer holds: a branch may move at any time.
const FRESH: Duration = Duration::from_secs(60);

#[async_trait]
impl Resolver for Git {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        if *reference.provider() != self.name {
            return Err(Error::invalid(format!("{reference} is of another provider")));
        }
        let reference = reference.clone();
        self.off_thread(move |git| resolve(git, &reference)).await
    }
}

/// Looks at what the team's directory says at the head of the branch, which must be signed.
fn resolve(git: &Followed, reference: &Reference) -> Result<Resolved> {
    let nothing = || Error::not_found(format!("{reference} is not declared in the repository"));
    let Scope::Typed(team, ResourceType::Ingress) = reference.scope() else { return Err(nothing()) };
    let (ResourceKey::Name(name) | ResourceKey::Id(name)) = reference.key();
    let repository = git.open()?;
    let head = git.head(&repository)?;
    git.signers.check(&repository, head.id())?;
    let found = declared(&repository, &head, team, name).map_err(unavailable("the head cannot be read"));
    let found = found?.ok_or_else(nothing)?;
    let mut resource = Resource::new(ResourceType::Ingress, name, name);
    resource.team_id = Some(team.clone());
    resource.enabled = found.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let urls = found.get("urls").and_then(Value::as_array).into_iter().flatten();
    resource.urls = urls.filter_map(|url| url.as_str().map(str::to_owned)).collect();
    Ok(Resolved { resource, fresh: Freshness::For(FRESH) })
}

type Found = Result<Option<Table>, git2::Error>;

/// An ingress of one of the team's pipeline files.
fn declared(repository: &Repository, head: &Commit<'_>, team: &str, name: &str) -> Found {
    let Ok(directory) = head.tree()?.get_path(format!("{team}/pipelines").as_ref()) else { return Ok(None) };
    let Some(directory) = directory.to_object(repository)?.into_tree().ok() else { return Ok(None) };
    for file in directory.iter() {
        let Some(blob) = file.to_object(repository)?.into_blob().ok() else { continue };
        // A file that its team has broken hides what it declares, and nothing else.
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
