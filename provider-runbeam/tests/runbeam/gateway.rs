//! A gateway process with the provider, for tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use provider_api::{
    BuildContext, ChangeId, Claims, Clock, ConfigSource, Enrollment, Expected, Inventory, MeshAuth,
    MeshDefinition, MeshIdentity, Provider, Registry, Result, Secret,
};
use provider_runbeam::{Environment, RunbeamFactory};
use serde_json::json;
use tempfile::TempDir;

use crate::clock::TestClock;

pub(crate) const TOKEN: &str = "canary-machine-token-that-nobody-may-see";
pub(crate) const GATEWAY: &str = "gateway-a";
pub(crate) const URL: &str = "https://node-b.example/r4";

/// A gateway process with its home directory. The providers that are built in it share its factory.
pub(crate) struct Gateway {
    registry: Registry,
    pub(crate) home: Arc<TempDir>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) key_lifetime: Duration,
    pub(crate) jwks_url: Option<String>,
}

impl Gateway {
    /// Starts a gateway with a machine token in its environment.
    pub(crate) fn authorized() -> Self {
        Self::started(Environment { machine_token: Some(machine_token(TOKEN)), ..Environment::default() })
    }

    /// Starts a gateway without a machine token.
    pub(crate) fn unauthorized() -> Self {
        Self::started(Environment::default())
    }

    pub(crate) fn started(environment: Environment) -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), environment)
    }

    pub(crate) fn at(home: Arc<TempDir>, environment: Environment) -> Self {
        let mut registry = Registry::new();
        registry.register(RunbeamFactory::new(environment));
        Self {
            registry,
            home,
            clock: Arc::new(TestClock::new()),
            key_lifetime: Duration::from_secs(24 * 3600),
            jwks_url: None,
        }
    }

    /// Returns the state directory, where the official SDK looks when `HOME` is the home of this gateway.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.home.path().join(".runbeam")
    }

    /// Builds a provider for the control plane at `api`.
    pub(crate) fn provider(&self, api: &str) -> Arc<dyn Provider> {
        let mesh = MeshDefinition {
            identity: imaging(),
            provider: "runbeam".parse().unwrap(),
            keys: None,
            token_audience: false,
            jwks_url: self.jwks_url.clone(),
        };
        let context = BuildContext {
            name: "runbeam".parse().unwrap(),
            gateway: GATEWAY.to_owned(),
            inventory: Arc::new(Inventory { resources: Vec::new().into(), meshes: vec![mesh] }),
            state_dir: self.state_dir(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            key_lifetime: self.key_lifetime,
        };
        let settings = format!("{{ api = '{api}' }}");
        let settings = toml::de::ValueDeserializer::parse(&settings).unwrap();
        self.registry.build("runbeam", context, settings).unwrap()
    }
}

pub(crate) fn imaging() -> MeshIdentity {
    MeshIdentity { name: "imaging".to_owned(), id: Some("01H".to_owned()) }
}

/// Returns a value for `RUNBEAM_MACHINE_TOKEN`.
pub(crate) fn machine_token(token: &str) -> Secret {
    let object =
        json!({ "machine_token": token, "expires_at": "2099-01-01T00:00:00Z", "gateway_id": "01GATEWAY" });
    Secret::new(object.to_string())
}

pub(crate) fn source(provider: &Arc<dyn Provider>) -> &dyn ConfigSource {
    provider.source().unwrap()
}

pub(crate) fn mesh_auth(provider: &Arc<dyn Provider>) -> &dyn MeshAuth {
    provider.mesh_auth().unwrap()
}

pub(crate) fn enrollment(provider: &Arc<dyn Provider>) -> &dyn Enrollment {
    provider.enrollment().unwrap()
}

pub(crate) async fn verify(provider: &Arc<dyn Provider>, token: &str) -> Result<Claims> {
    mesh_auth(provider).verify(&Expected { mesh: &imaging(), url: URL }, token).await
}

pub(crate) fn change(id: &str) -> ChangeId {
    ChangeId::new(id).unwrap()
}
