//! Resolution of references by the control plane.

use std::time::Duration;

use provider_api::{
    Error, Freshness, Reference, Resolved, Resolver, Resource, ResourceKey, Result, async_trait,
};
use reqwest::header::{CACHE_CONTROL, HeaderMap};

use crate::address::Address;
use crate::api::missing_field;
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::wire::ResolvedResource;

/// The freshness of a response without `max-age`.
const DEFAULT_FRESHNESS: Duration = Duration::from_secs(300);

/// The bounds of `max-age` in seconds: below, every request would query the control plane; above, a revoked resource
/// would be served for too long.
const MIN_FRESHNESS_SECS: u64 = 5;
const MAX_FRESHNESS_SECS: u64 = 3600;

#[async_trait]
impl Resolver for Runbeam {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let action = format!("resolving {reference}");
        self.api.with_deadline(&action, self.query(&action, reference)).await
    }
}

impl Runbeam {
    async fn query(&self, action: &str, reference: &Reference) -> Result<Resolved> {
        // The control plane ignores the provider of a reference, so it would resolve one of another provider.
        if *reference.provider() != self.context.name {
            return Err(Error::invalid(format!(
                "{action}: the reference is for the provider `{}`, not for `{}`",
                reference.provider(),
                self.context.name
            )));
        }
        let credential = self.credential().await?;
        let call = self.call(action, Purpose::Resource, &credential);
        let mut url = self.api.url(&call, "harmony/resources/resolve", &[]).await?;
        url.query_pairs_mut().append_pair("ref", &reference.to_string());
        let (answer, headers): (ResolvedResource, _) = self.api.get(&call, url).await?;
        check_resource(action, self.api.address(), reference, &answer.data)?;
        Ok(Resolved { resource: answer.data, fresh: Freshness::For(freshness(&headers)) })
    }
}

/// Checks that the resource is the one that `reference` names.
fn check_resource(
    action: &str,
    address: Address<'_>,
    reference: &Reference,
    resource: &Resource,
) -> Result<()> {
    for (field, text) in [("id", &resource.id), ("name", &resource.name)] {
        if text.trim().is_empty() {
            return Err(missing_field(action, address, field));
        }
    }
    let same_kind = reference.resource_type().is_none_or(|kind| kind == resource.kind);
    let same = match reference.key() {
        ResourceKey::Name(name) => *name == resource.name,
        ResourceKey::Id(id) => *id == resource.id,
    };
    match same_kind && same {
        true => Ok(()),
        false => {
            Err(Error::unavailable(format!("{action}: the control plane at {address} sent another resource")))
        }
    }
}

/// Returns `max-age` of the response (RFC 9111, section 5.2.2.1), within bounds.
fn freshness(headers: &HeaderMap) -> Duration {
    let text = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut directives = text.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age=")?.parse::<u64>().ok());
    seconds.map_or(DEFAULT_FRESHNESS, |seconds| {
        Duration::from_secs(seconds.clamp(MIN_FRESHNESS_SECS, MAX_FRESHNESS_SECS))
    })
}

#[cfg(test)]
mod tests {
    use provider_api::ResourceType;

    use super::*;

    #[test]
    fn another_resource_is_an_error() {
        let url = url::Url::parse("https://a.example").unwrap();
        let reference: Reference = "runbeam.acme.ingress.name.fhir".parse().unwrap();
        let check = |kind, name: &str| {
            check_resource("testing", Address(&url), &reference, &Resource::new(kind, "01H", name)).is_ok()
        };
        assert!(check(ResourceType::Ingress, "fhir"));
        assert!(!check(ResourceType::Backend, "fhir"));
        assert!(!check(ResourceType::Ingress, "other"));
        assert!(!check(ResourceType::Ingress, " "));
    }

    #[test]
    fn freshness_is_bounded() {
        let freshness = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, text.parse().unwrap());
            super::freshness(&headers).as_secs()
        };
        assert_eq!(freshness("private, max-age=60"), 60);
        assert_eq!(freshness("max-age=0"), MIN_FRESHNESS_SECS);
        assert_eq!(freshness("max-age=99999999"), MAX_FRESHNESS_SECS);
        assert_eq!(freshness("no-cache"), 300);
    }
}
