//! The world of the resolver over HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::testkit::{
    Answer, Asked, Canary, Cannot, ChangeWorld, CredentialWorld, DocumentWorld, Exchange, MeshWorld, Placed,
    Placing, ResourceWorld, RetentionWorld, StandIn, Subject, Trouble, TurnedClock, World, time_passes,
};
use provider_api::{
    Error, Provider, ProviderName, Reference, Resource, ResourceKey, Result, Secret, async_trait,
};
use serde_json::json;

use super::OverHttp;

const TOKEN: &str = "canary-of-the-resolver";

pub(super) struct OverHttpSubject;

struct OverHttpWorld {
    control_plane: StandIn,
    clock: TurnedClock,
    resources: Arc<Mutex<Vec<(Resource, bool)>>>,
}

#[async_trait]
impl Subject for OverHttpSubject {
    async fn world(&self) -> Arc<dyn World> {
        let resources: Arc<Mutex<Vec<(Resource, bool)>>> = Arc::default();
        let known = Arc::clone(&resources);
        let control_plane =
            StandIn::start(move |request| answer(&known.lock().unwrap(), request)).await.unwrap();
        Arc::new(OverHttpWorld { control_plane, clock: TurnedClock::new(), resources })
    }
}

fn answer(known: &[(Resource, bool)], request: &Asked) -> Answer {
    if request.bearer() != Some(TOKEN) {
        return Answer::refusal(401, "a bearer token is required");
    }
    let reference = request.path.strip_prefix("/resources/").and_then(|text| text.parse::<Reference>().ok());
    let Some(reference) = reference else { return Answer::refusal(400, "not a reference") };
    let fits = |resource: &Resource| match reference.key() {
        ResourceKey::Name(name) => *name == resource.name,
        ResourceKey::Id(id) => *id == resource.id,
    };
    let of_type = |resource: &Resource| reference.resource_type().is_none_or(|kind| kind == resource.kind);
    match known.iter().find(|(resource, _)| fits(resource) && of_type(resource)) {
        None => Answer::refusal(404, "no such resource"),
        Some((_, true)) => Answer::refusal(403, "the resource is private"),
        Some((resource, false)) => Answer::json(200, &json!(resource)),
    }
}

#[async_trait]
impl World for OverHttpWorld {
    fn names(&self) -> Vec<ProviderName> {
        ["web", "other"].map(|name| name.parse().unwrap()).into()
    }

    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(OverHttp {
            name: name.clone(),
            api: self.control_plane.url(),
            token: Secret::new(TOKEN),
        }))
    }

    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)> {
        vec![("no `api`".to_owned(), Err(Error::invalid("`api` is missing")))]
    }

    fn clock(&self) -> &TurnedClock {
        &self.clock
    }

    async fn pass(&self, time: Duration) {
        self.clock.turn(time);
        time_passes(time).await;
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn canaries(&self) -> Vec<Canary> {
        vec![Canary::new("the token", TOKEN)]
    }

    async fn trouble(&self, exchange: Exchange, trouble: &Trouble) -> Result<(), Cannot> {
        match exchange {
            Exchange::Resolve => self.control_plane.trouble("GET /resources", trouble).await,
            other => return Err(Cannot::because(format!("the provider has no exchange {other:?}"))),
        }
        Ok(())
    }

    async fn calm(&self) {
        self.control_plane.calm().await.unwrap();
    }

    fn asked(&self) -> Result<usize, Cannot> {
        Ok(self.control_plane.asked().len())
    }

    fn changes(&self) -> Result<&dyn ChangeWorld, Cannot> {
        Err(Cannot::because("the provider is only a resolver"))
    }

    fn resources(&self) -> Result<&dyn ResourceWorld, Cannot> {
        Ok(self)
    }

    fn meshes(&self) -> Result<&dyn MeshWorld, Cannot> {
        Err(Cannot::because("the provider is only a resolver"))
    }

    fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot> {
        Err(Cannot::because("the provider is only a resolver"))
    }

    fn documents(&self) -> Result<&dyn DocumentWorld, Cannot> {
        Err(Cannot::because("the provider is only a resolver"))
    }

    fn retention(&self) -> Result<&dyn RetentionWorld, Cannot> {
        Err(Cannot::because("the provider saves no state"))
    }
}

#[async_trait]
impl ResourceWorld for OverHttpWorld {
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
        let (kind, name) = (wanted.kind, &wanted.name);
        let id = format!("id-{kind}-{name}");
        let mut resource = Resource::new(kind, id.as_str(), name.as_str());
        resource.urls.clone_from(&wanted.urls);
        resource.enabled = wanted.enabled;
        let mut resources = self.resources.lock().unwrap();
        resources.retain(|(other, _)| other.id != id);
        resources.push((resource, wanted.private));
        let forms = [format!("web.acme.{kind}.name.{name}"), format!("web.id.{id}")];
        Ok(Placed { id, references: forms.iter().map(|form| form.parse().unwrap()).collect() })
    }

    fn is_live(&self) -> Result<(), Cannot> {
        Ok(())
    }
}
