use std::time::Duration;

use provider_api::testkit::Exchange;
use provider_api::{
    Error, ErrorKind, Freshness, Reference, Resolved, Resolver, Resource, ResourceKey, Result, async_trait,
};
use serde_json::json;

use crate::fellow::Fellow;
use crate::mutation::Mutation;

#[async_trait]
impl Resolver for Fellow {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let this = &self.0;
        if *reference.provider() != this.name && !this.is(Mutation::ResolvesForOthers) {
            return Err(Error::invalid(format!("{reference} is for another provider")));
        }
        if this.is(Mutation::NamesOnly) && matches!(reference.key(), ResourceKey::Id(_)) {
            return Err(Error::not_found(format!("{reference} is not known here")));
        }
        let mut text = reference.to_string();
        let shared = &this.factory.shared;
        if this.is(Mutation::OneReference) {
            *shared.slot.lock().unwrap() = text;
            tokio::task::yield_now().await;
            text = shared.slot.lock().unwrap().clone();
        }
        if let Some(known) = shared.answers.lock().unwrap().get(&text) {
            match known {
                Some(resolved) if this.is(Mutation::KeepsAnswers) => return Ok(resolved.clone()),
                None if this.is(Mutation::KeepsMisses) => return Err(Error::not_found("it was not there")),
                _ => {}
            }
        }
        if this.is(Mutation::IgnoresTypes)
            && let (Some(team), Some(kind)) = (reference.team(), reference.resource_type())
        {
            text = text.replace(&format!("{team}.{kind}."), &format!("{team}.ingress."));
        }
        let ask = json!({ "reference": text, "beginning": this.is(Mutation::NamesBegin) });
        let answer = this.ask(Exchange::Resolve, "resolve", ask).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            shared.answers.lock().unwrap().insert(text.clone(), None);
        }
        let mut resource: Resource = serde_json::from_value(answer?["data"].take())
            .map_err(|_| Error::unavailable("the answer is no resource"))?;
        if resource.id.trim().is_empty() || resource.name.trim().is_empty() {
            return Err(Error::unavailable("the resource has no name"));
        }
        if this.is(Mutation::SortsUrls) {
            resource.urls.reverse();
        }
        resource.enabled |= this.is(Mutation::EnablesAll);
        let fresh = match this.factory.mutation {
            Mutation::FreshForNothing => Duration::ZERO,
            Mutation::FreshForEver => Duration::MAX,
            _ => Duration::from_secs(300),
        };
        let resolved = Resolved { resource, fresh: Freshness::For(fresh) };
        shared.answers.lock().unwrap().insert(text, Some(resolved.clone()));
        Ok(resolved)
    }
}
