//! Resolving references with the reference provider.

use std::time::Duration;

use provider_api::testkit::Exchange;
use provider_api::{
    Error, ErrorKind, Freshness, Reference, Resolved, Resolver, Resource, ResourceKey, Result, async_trait,
};
use serde_json::json;

use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;

#[async_trait]
impl Resolver for ReferenceProvider {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let inner = &self.0;
        if *reference.provider() != inner.name && !inner.is(Mutation::ResolvesForeignReferences) {
            return Err(Error::invalid(format!("{reference} is for another provider")));
        }
        if inner.is(Mutation::IgnoresIds) && matches!(reference.key(), ResourceKey::Id(_)) {
            return Err(Error::not_found(format!("{reference} is not known here")));
        }
        let mut text = reference.to_string();
        let shared = &inner.factory.shared;
        if inner.is(Mutation::OneReference) {
            *shared.slot.lock().unwrap() = text;
            tokio::task::yield_now().await;
            text = shared.slot.lock().unwrap().clone();
        }
        if let Some(known) = shared.answers.lock().unwrap().get(&text) {
            match known {
                Some(resolved) if inner.is(Mutation::CachesResults) => return Ok(resolved.clone()),
                None if inner.is(Mutation::CachesNotFound) => {
                    return Err(Error::not_found("the resource was missing before"));
                }
                _ => {}
            }
        }
        if inner.is(Mutation::IgnoresTypes)
            && let (Some(team), Some(kind)) = (reference.team(), reference.resource_type())
        {
            text = text.replace(&format!("{team}.{kind}."), &format!("{team}.ingress."));
        }
        let body = json!({ "reference": text, "beginning": inner.is(Mutation::MatchesPrefixes) });
        let answer = inner.authenticated_call(Exchange::Resolve, "resolve", body).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            shared.answers.lock().unwrap().insert(text.clone(), None);
        }
        let mut resource: Resource = serde_json::from_value(answer?["data"].take())
            .map_err(|_| Error::unavailable("the response is not a resource"))?;
        if resource.id.trim().is_empty() || resource.name.trim().is_empty() {
            return Err(Error::unavailable("the resource has no name"));
        }
        if inner.is(Mutation::SortsUrls) {
            resource.urls.reverse();
        }
        resource.enabled |= inner.is(Mutation::EnablesDisabled);
        let fresh = match inner.factory.mutation {
            Mutation::ZeroFreshness => Duration::ZERO,
            Mutation::EndlessFreshness => Duration::MAX,
            _ => Duration::from_secs(300),
        };
        let resolved = Resolved { resource, fresh: Freshness::For(fresh) };
        shared.answers.lock().unwrap().insert(text, Some(resolved.clone()));
        Ok(resolved)
    }
}
