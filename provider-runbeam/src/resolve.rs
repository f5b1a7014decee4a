use std::time::Duration;

use provider_api::{
    Error, Freshness, Reference, Resolved, Resolver, Resource, ResourceKey, Result, async_trait,
};
use reqwest::header::{CACHE_CONTROL, HeaderMap};

use crate::runbeam::{Runbeam, blank};
use crate::status::Asking;
use crate::wire::ResolvedResource;

/// How long an answer may be used that does not say so itself, and the bounds of what it may say.
const FRESH: Duration = Duration::from_secs(300);
const SHORTEST: u64 = 5;
const LONGEST: u64 = 3600;

#[async_trait]
impl Resolver for Runbeam {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let what = format!("resolving {reference}");
        self.api.bounded(&what, self.ask(&what, reference)).await
    }
}

impl Runbeam {
    async fn ask(&self, what: &str, reference: &Reference) -> Result<Resolved> {
        // The control plane does not look at whom a reference is for.
        if *reference.provider() != self.context.name {
            return Err(Error::invalid(format!(
                "{what}: it is for the provider `{}` to resolve, not for `{}`",
                reference.provider(),
                self.context.name
            )));
        }
        let credential = self.credential().await?;
        let call = self.call(what, Asking::ForResource, &credential);
        let mut url = self.api.url(&call, "harmony/resources/resolve", &[]).await?;
        url.query_pairs_mut().append_pair("ref", &reference.to_string());
        let (answer, headers): (ResolvedResource, _) = self.api.get(&call, url).await?;
        checked(what, reference, &answer.data)?;
        Ok(Resolved { resource: answer.data, fresh: Freshness::For(fresh(&headers)) })
    }
}

/// Whether the answer is one to this question.
fn checked(what: &str, reference: &Reference, resource: &Resource) -> Result<()> {
    for (field, text) in [("id", &resource.id), ("name", &resource.name)] {
        if text.trim().is_empty() {
            return Err(blank(what, field));
        }
    }
    let same_kind = reference.resource_type().is_none_or(|kind| kind == resource.kind);
    let same = match reference.key() {
        ResourceKey::Name(name) => *name == resource.name,
        ResourceKey::Id(id) => *id == resource.id,
    };
    match same_kind && same {
        true => Ok(()),
        false => Err(Error::unavailable(format!("{what}: the control plane answered with another resource"))),
    }
}

/// `max-age` of the answer (RFC 9111, section 5.2.2.1), within bounds.
fn fresh(headers: &HeaderMap) -> Duration {
    let text = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut directives = text.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age=")?.parse::<u64>().ok());
    seconds.map_or(FRESH, |seconds| Duration::from_secs(seconds.clamp(SHORTEST, LONGEST)))
}

#[cfg(test)]
mod tests {
    use provider_api::ResourceType;

    use super::*;

    #[test]
    fn an_answer_to_another_question_is_none() {
        let reference: Reference = "runbeam.acme.ingress.name.fhir".parse().unwrap();
        let check =
            |kind, name: &str| checked("asking", &reference, &Resource::new(kind, "01H", name)).is_ok();
        assert!(check(ResourceType::Ingress, "fhir"));
        assert!(!check(ResourceType::Backend, "fhir"));
        assert!(!check(ResourceType::Ingress, "other"));
        assert!(!check(ResourceType::Ingress, " "));
    }

    #[test]
    fn how_long_an_answer_is_good_is_bounded() {
        let fresh = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, text.parse().unwrap());
            super::fresh(&headers).as_secs()
        };
        assert_eq!(fresh("private, max-age=60"), 60);
        assert_eq!(fresh("max-age=0"), SHORTEST);
        assert_eq!(fresh("max-age=99999999"), LONGEST);
        assert_eq!(fresh("no-cache"), 300);
    }
}
