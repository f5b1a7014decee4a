//! A gateway with the provider `local`, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use provider_api::{
    BuildContext, BuildError, Claims, Clock, Error, Expected, Inventory, MeshDefinition, MeshIdentity,
    MeshKeys, MeshToken, Provider, ProviderName, Registry, Resource, Result, Secret, TokenRequest,
};
use provider_local::LocalFactory;

pub(crate) const NOW: u64 = 1_750_000_000;
pub(crate) const SECRET: &str = "canary-secret-that-nobody-may-see";
pub(crate) const URL: &str = "https://node-b.example/r4";

/// A clock that the test sets.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// A provider with its clock.
pub(crate) struct Gateway {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) clock: Arc<TestClock>,
}

impl Gateway {
    pub(crate) fn with_resources(resources: Vec<Resource>) -> Self {
        Self::new(Inventory { resources: resources.into(), meshes: Vec::new() }).unwrap()
    }

    /// Builds a gateway in the mesh `imaging` with the id `01H`.
    pub(crate) fn with_keys(keys: MeshKeys) -> Self {
        Self::new(Inventory { resources: Vec::new().into(), meshes: vec![mesh(keys)] }).unwrap()
    }

    /// Builds a gateway in the same mesh, whose tokens must have an audience.
    pub(crate) fn with_audience(keys: MeshKeys) -> Self {
        let mesh = MeshDefinition { token_audience: true, ..mesh(keys) };
        Self::new(Inventory { resources: Vec::new().into(), meshes: vec![mesh] }).unwrap()
    }

    pub(crate) fn with_secret() -> Self {
        Self::with_keys(shared(SECRET))
    }

    pub(crate) fn new(inventory: Inventory) -> Result<Self> {
        Self::named("local", inventory)
    }

    pub(crate) fn named(name: &str, inventory: Inventory) -> Result<Self> {
        let clock = Arc::new(TestClock(AtomicU64::new(NOW)));
        let context = BuildContext {
            name: name.parse::<ProviderName>().unwrap(),
            gateway: "gateway-a".to_owned(),
            inventory: Arc::new(inventory),
            state_dir: "/nonexistent".into(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            key_lifetime: std::time::Duration::from_secs(24 * 3600),
        };
        let settings = toml::de::ValueDeserializer::parse("{ type = 'local', api = 7 }").unwrap();
        let mut registry = Registry::new();
        match registry.register(LocalFactory).build("local", context, settings) {
            Ok(provider) => Ok(Self { provider, clock }),
            Err(BuildError::Invalid(invalid)) => Err(invalid.into()),
            Err(other) => panic!("{other}"),
        }
    }

    pub(crate) async fn resolve(&self, reference: &str) -> Result<Resource> {
        let reference = reference.parse().unwrap();
        self.provider.resolver().unwrap().resolve(&reference).await.map(|resolved| resolved.resource)
    }

    pub(crate) async fn issue(&self) -> Result<MeshToken> {
        let request =
            TokenRequest { mesh: imaging(), destination: URL.to_owned(), sender: "gateway-a".to_owned() };
        self.provider.mesh_auth().unwrap().issue(&request).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Claims> {
        self.verify_for(&imaging(), URL, token).await
    }

    pub(crate) async fn verify_for(&self, mesh: &MeshIdentity, url: &str, token: &str) -> Result<Claims> {
        self.provider.mesh_auth().unwrap().verify(&Expected { mesh, url }, token).await
    }

    /// Returns the reason why `token` is denied. Panics when it is accepted, or when the reason shows a secret.
    pub(crate) async fn refusal(&self, token: &str) -> String {
        denial(self.verify(token).await.expect_err("to be denied"), token)
    }
}

/// Returns the reason of a denial. Panics for another kind of error, and when it shows the token or the secret.
pub(crate) fn denial(error: Error, token: &str) -> String {
    assert_eq!(error.kind(), provider_api::ErrorKind::Denied, "{error}");
    let all = format!("{error} {error:?} {error:#?}");
    assert!(!all.contains(SECRET), "{all}");
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!all.contains(part), "{all}");
    }
    error.to_string()
}

pub(crate) fn imaging() -> MeshIdentity {
    MeshIdentity { name: "imaging".to_owned(), id: Some("01H".to_owned()) }
}

pub(crate) fn mesh(keys: MeshKeys) -> MeshDefinition {
    MeshDefinition {
        identity: imaging(),
        provider: ProviderName::local(),
        keys: Some(keys),
        token_audience: false,
        jwks_url: None,
    }
}

pub(crate) fn shared(secret: &str) -> MeshKeys {
    MeshKeys::Shared(Secret::new(secret))
}
