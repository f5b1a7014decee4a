//! The world of the conformance kit: the provider, a control plane, a clock and a machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_tests::control_plane::ControlPlane;
use provider_api::testkit::{
    Canary, Cannot, ChangeWorld, CredentialWorld, DocumentWorld, Exchange, MeshWorld, ResourceWorld,
    RetentionWorld, Subject, Trouble, TurnedClock, World, context, time_passes,
};
use provider_api::{BuildContext, Provider, ProviderFactory as _, ProviderName, Result, Secret, async_trait};
use provider_runbeam::{Deadlines, Environment, RunbeamFactory};
use tempfile::TempDir;

use super::trouble;

/// The provider's team and gateway, and the other team.
pub(crate) const OURS: &str = "radiology";
pub(crate) const GATEWAY: &str = "edge";
pub(crate) const THEIRS: &str = "partner";

/// Short deadlines, since the checks of missing responses wait for them; long enough for a busy machine.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_millis(1000),
    read: Duration::from_millis(1000),
    total: Duration::from_millis(2000),
    ping: Duration::from_millis(1000),
};

/// The provider under test.
pub(crate) struct RunbeamSubject;

/// A control plane with an authorized gateway, and the gateway's machine.
pub(crate) struct RunbeamWorld {
    pub(crate) cloud: ControlPlane,
    pub(crate) clock: TurnedClock,
    pub(crate) secrets: Mutex<Vec<String>>,
    pub(crate) environment: Mutex<Environment>,
    pub(crate) factory: Mutex<Arc<RunbeamFactory>>,
    home: Mutex<TempDir>,
}

#[async_trait]
impl Subject for RunbeamSubject {
    async fn world(&self) -> Arc<dyn World> {
        let cloud = ControlPlane::start().await;
        let token = cloud.authorize(OURS, GATEWAY);
        cloud.authorize(THEIRS, THEIRS);
        let environment = Environment {
            machine_token: Some(Secret::new(token.to_string())),
            encryption_key: None,
            accept_invalid_certs: false,
        };
        let world = RunbeamWorld {
            cloud,
            clock: TurnedClock::new(),
            secrets: Mutex::new(vec![token.machine_token]),
            factory: Mutex::new(factory(&environment)),
            environment: Mutex::new(environment),
            home: Mutex::new(tempfile::tempdir().unwrap()),
        };
        Arc::new(world)
    }
}

fn factory(environment: &Environment) -> Arc<RunbeamFactory> {
    Arc::new(RunbeamFactory::new(environment.clone()).with_deadlines(DEADLINES))
}

impl RunbeamWorld {
    /// Restarts the process: nothing stays in memory.
    pub(crate) fn restart_process(&self) {
        *self.factory.lock().unwrap() = factory(&self.environment.lock().unwrap());
    }

    /// Replaces the machine by one without state and environment.
    pub(crate) fn new_machine(&self) {
        *self.environment.lock().unwrap() = Environment::default();
        *self.home.lock().unwrap() = tempfile::tempdir().unwrap();
        self.restart_process();
    }

    pub(crate) fn with(&self, name: &ProviderName, section: &str) -> Result<Arc<dyn Provider>> {
        let state_dir = self.home.lock().unwrap().path().to_owned();
        let context = BuildContext { gateway: GATEWAY.to_owned(), state_dir, ..context(name, &self.clock) };
        let factory = Arc::clone(&self.factory.lock().unwrap());
        Ok(factory.build(context, toml::from_str(section).unwrap())?)
    }
}

#[async_trait]
impl World for RunbeamWorld {
    fn names(&self) -> Vec<ProviderName> {
        ["runbeam", "my-cloud"].map(|name| name.parse().unwrap()).into()
    }

    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> {
        self.with(name, &format!("api = \"{}\"\npoll_interval_secs = 45\n", self.cloud.url()))
    }

    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)> {
        let name = &self.names()[0];
        let bad = [
            "api = \"nowhere\"",
            "api = \"ftp://cloud.example\"",
            "api = \"http://cloud.example\"",
            "api = \"https://kit:canary-in-a-url@cloud.example\"",
            "api = \"https://cloud.example/?token=canary-in-a-url\"",
            "poll_interval_secs = 3601",
        ];
        bad.map(|section| (section.to_owned(), self.with(name, section))).into()
    }

    fn clock(&self) -> &TurnedClock {
        &self.clock
    }

    async fn pass(&self, time: Duration) {
        self.clock.turn(time);
        time_passes(time).await;
    }

    /// The longest call has several exchanges; 10 times the deadline of one is enough.
    fn patience(&self) -> Duration {
        DEADLINES.total * 10
    }

    fn canaries(&self) -> Vec<Canary> {
        let secrets = self.secrets.lock().unwrap();
        let secrets = secrets.iter().map(|secret| Canary::new("a token", secret.as_str()));
        secrets.chain([Canary::new("a password in a URL", "canary-in-a-url")]).collect()
    }

    async fn trouble(&self, exchange: Exchange, trouble: &Trouble) -> Result<(), Cannot> {
        let secrets = self.secrets.lock().unwrap().join(" ");
        match trouble::fault(exchange, trouble, &secrets)? {
            Some(fault) => drop(self.cloud.inject(trouble::when(exchange), fault)),
            None => self.cloud.stop().await,
        }
        Ok(())
    }

    async fn calm(&self) {
        self.cloud.clear_faults();
        self.cloud.restart().await;
    }

    fn asked(&self) -> Result<usize, Cannot> {
        Ok(self.cloud.requests().len())
    }

    fn changes(&self) -> Result<&dyn ChangeWorld, Cannot> {
        Ok(self)
    }

    fn resources(&self) -> Result<&dyn ResourceWorld, Cannot> {
        Ok(self)
    }

    fn meshes(&self) -> Result<&dyn MeshWorld, Cannot> {
        Ok(self)
    }

    fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot> {
        Ok(self)
    }

    fn documents(&self) -> Result<&dyn DocumentWorld, Cannot> {
        Ok(self)
    }

    fn retention(&self) -> Result<&dyn RetentionWorld, Cannot> {
        Ok(self)
    }
}
