//! The world of the reference provider.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::testkit::{
    Canary, Cannot, ChangeWorld, CredentialWorld, DocumentWorld, Exchange, MeshWorld, ResourceWorld,
    RetentionWorld, Subject, Trouble, TurnedClock, World, time_passes,
};
use provider_api::{Clock as _, Provider, ProviderName, Result, Secret, async_trait};

use crate::control_plane::{ControlPlane, ORIGIN, USER};
use crate::factory::{Factory, INTERVAL};
use crate::mutation::Mutation;
use crate::store::{Credential, Disk};

mod changes;
mod credentials;
mod documents;
mod meshes;
mod resources;
mod retention;

/// The reference provider, conforming or with one mutation.
pub(crate) struct ReferenceSubject {
    pub(crate) mutation: Mutation,
    /// True when tokio's clock is paused, so that deadlines expire without waiting.
    pub(crate) paused: bool,
}

pub(crate) struct ReferenceWorld {
    control_plane: Arc<ControlPlane>,
    disk: Disk,
    factory: Mutex<Factory>,
    clock: TurnedClock,
    paused: bool,
}

#[async_trait]
impl Subject for ReferenceSubject {
    async fn world(&self) -> Arc<dyn World> {
        let (control_plane, disk, clock) =
            (Arc::new(ControlPlane::default()), Disk::default(), TurnedClock::new());
        let token = {
            let mut state = control_plane.state();
            state.meshes = ["mesh-1", "mesh-2"].map(str::to_owned).into();
            state.new_machine()
        };
        *disk.lock().unwrap() = Some(Credential {
            token: Secret::new(token),
            gateway: "gateway-1".to_owned(),
            expires_at: clock.now() + Duration::from_secs(30 * 86_400),
            refused: false,
        });
        let factory = Factory {
            control_plane: Arc::clone(&control_plane),
            disk: Arc::clone(&disk),
            clock: clock.clone(),
            deadline: Duration::from_millis(if self.paused { 2000 } else { 700 }),
            mutation: self.mutation,
            keys: Arc::default(),
            shared: Arc::default(),
        };
        Arc::new(ReferenceWorld {
            control_plane,
            disk,
            factory: Mutex::new(factory),
            clock,
            paused: self.paused,
        })
    }
}

impl ReferenceWorld {
    fn factory(&self) -> Factory {
        self.factory.lock().unwrap().clone()
    }
}

#[async_trait]
impl World for ReferenceWorld {
    fn names(&self) -> Vec<ProviderName> {
        ["reference", "other-name"].map(|name| name.parse().unwrap()).into()
    }

    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> {
        self.factory().build(name, ORIGIN, INTERVAL.as_secs())
    }

    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)> {
        let name = &self.names()[0];
        let with = |api: &str, secs| self.factory().build(name, api, secs);
        vec![
            ("`api` is not a URL".to_owned(), with("nowhere", 30)),
            ("`api` has a password".to_owned(), with("https://kit:password-canary@cloud.example", 30)),
            ("the interval is a day".to_owned(), with(ORIGIN, 86_400)),
        ]
    }

    fn clock(&self) -> &TurnedClock {
        &self.clock
    }

    async fn pass(&self, time: Duration) {
        self.clock.turn(time);
        match self.paused {
            true => tokio::time::advance(time).await,
            false => time_passes(time).await,
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn canaries(&self) -> Vec<Canary> {
        let state = self.control_plane.state();
        let machines = state.machines.iter().map(|token| Canary::new("a machine token", token.as_str()));
        let others = [
            Canary::new("the token of a user", USER),
            Canary::new("a password in a URL", "password-canary"),
            Canary::new("half a credential", "half-a-credential"),
        ];
        machines.chain(others).collect()
    }

    async fn trouble(&self, exchange: Exchange, trouble: &Trouble) -> Result<(), Cannot> {
        self.control_plane.state().troubles.insert(exchange, trouble.clone());
        Ok(())
    }

    async fn calm(&self) {
        self.control_plane.state().troubles.clear();
    }

    fn asked(&self) -> Result<usize, Cannot> {
        Ok(self.control_plane.state().requests)
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
