//! A provider that counts its calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use provider_api::{
    BuildContext, Claims, ConfigSource, Enrollment, Error, Expected, Freshness, InvalidSettings, MeshAuth,
    MeshToken, Provider, ProviderFactory, ProviderName, Publisher, Reference, Resolved, Resolver, Resource,
    ResourceKey, ResourceType, Result, Retention, Secret, SettingsProfile, TokenRequest, async_trait,
};

/// The only valid token; its audience is https://theirs.example/r4.
pub(super) const TOKEN: &str = "head.claims.0123456789012345678901234567890123456789";

/// The numbers of calls of a provider.
#[derive(Debug, Default)]
pub(super) struct CallCounts {
    pub(super) resolved: AtomicUsize,
    pub(super) issued: AtomicUsize,
    pub(super) verified: AtomicUsize,
    pub(super) unavailable: AtomicBool,
}

pub(super) struct CountingFactory(pub(super) Arc<CallCounts>);

#[derive(Debug)]
struct Counting(ProviderName, Arc<CallCounts>);

impl ProviderFactory for CountingFactory {
    const TYPE: &'static str = "counting";
    type Settings = toml::Table;

    fn build(&self, context: BuildContext, _: toml::Table) -> Result<Arc<dyn Provider>, InvalidSettings> {
        Ok(Arc::new(Counting(context.name, Arc::clone(&self.0))))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
    }
}

impl Provider for Counting {
    fn name(&self) -> &ProviderName {
        &self.0
    }
    fn source(&self) -> Option<&dyn ConfigSource> {
        None
    }
    fn resolver(&self) -> Option<&dyn Resolver> {
        Some(self)
    }
    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        Some(self)
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
impl Resolver for Counting {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        self.1.resolved.fetch_add(1, SeqCst);
        // Concurrent calls must share this one, so it takes a moment.
        tokio::time::sleep(Duration::from_millis(10)).await;
        if self.1.unavailable.load(SeqCst) {
            return Err(Error::unavailable("the provider is unavailable"));
        }
        let (ResourceKey::Name(name) | ResourceKey::Id(name)) = reference.key();
        let mut resource = Resource::new(ResourceType::Ingress, "01", name);
        resource.urls.push(format!("https://{name}.example/r4"));
        Ok(Resolved { resource, fresh: Freshness::UntilReload })
    }
}

#[async_trait]
impl MeshAuth for Counting {
    async fn issue(&self, _: &TokenRequest) -> Result<MeshToken> {
        self.1.issued.fetch_add(1, SeqCst);
        let expires_at = SystemTime::now() + Duration::from_secs(300);
        Ok(MeshToken { token: Secret::new(TOKEN), expires_at })
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        self.1.verified.fetch_add(1, SeqCst);
        let below = expected.url.strip_prefix("https://theirs.example/r4");
        let valid = token == TOKEN && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let end = SystemTime::now() + Duration::from_secs(300);
        let claims = Claims::new("counting".into(), "gateway:theirs".into(), "01H".into(), end);
        valid.then_some(claims).ok_or_else(|| Error::denied("invalid token"))
    }
}
