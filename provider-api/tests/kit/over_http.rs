//! A conformance test as an author writes it: a resolver over HTTP, with a stand-in for its control plane.

use std::time::Duration;

use provider_api::testkit::run;
use provider_api::{
    ConfigSource, Enrollment, Error, Freshness, MeshAuth, Provider, ProviderName, Publisher, Reference,
    Resolved, Resolver, Resource, Result, Retention, Secret, async_trait,
};

mod client;
mod world;

/// A resolver that sends `GET {api}/resources/{reference}`.
#[derive(Debug)]
struct OverHttp {
    name: ProviderName,
    api: String,
    token: Secret,
}

impl Provider for OverHttp {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn source(&self) -> Option<&dyn ConfigSource> {
        None
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        Some(self)
    }

    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        None
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }

    fn retention(&self) -> Option<&dyn Retention> {
        None
    }
}

#[async_trait]
impl Resolver for OverHttp {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        if *reference.provider() != self.name {
            return Err(Error::invalid(format!("{reference} is for another provider")));
        }
        let path = format!("/resources/{reference}");
        let exchange = client::get(&self.api, &path, &self.token);
        let response = tokio::time::timeout(client::DEADLINE, exchange).await;
        let body = response.unwrap_or_else(|_| Err(Error::unavailable("the deadline has passed")))?;
        let resource: Resource = serde_json::from_slice(&body)
            .map_err(|_| Error::unavailable(format!("{reference}: the response cannot be decoded")))?;
        Ok(Resolved { resource, fresh: Freshness::For(Duration::from_secs(60)) })
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the table is visible with --nocapture")]
async fn a_resolver_over_http_passes() {
    let report = run(&world::OverHttpSubject).await;
    println!("{report}");
    assert!(report.failed().is_empty(), "{report}");
    let skipped = report.skipped();
    let of_resolve = skipped.iter().filter(|line| ["resolve", "resources"].contains(&line.check.group));
    assert_eq!(of_resolve.count(), 0, "checks of resolving were skipped: {report}");
}
