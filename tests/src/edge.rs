use std::sync::Arc;
use std::time::Duration;

use harmony_host::{HostOptions, RunningGateway};
use provider_api::{Clock, Registry, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Deadlines, Environment, RunbeamFactory};

use crate::control_plane::ControlPlane;
use crate::site::on_ports;
use crate::{Workdir, free_port};

/// What an [`Edge`] starts with; `API`, `INTERVAL`, `PORT` and `ADMIN` stand for its own.
pub const EDGE: &str = r#"# This comment stays.
[proxy]
id = "edge"
primary_provider = "runbeam"

[provider.runbeam]
api = "API"
poll_interval_secs = INTERVAL

[network.public.http]
bind_address = "127.0.0.1"
bind_port = PORT

[network.management.http]
bind_address = "127.0.0.1"
bind_port = ADMIN

[management]
enabled = true
network = "management"
"#;

/// A gateway in this process that follows a control plane. Stops when dropped.
#[derive(Debug)]
pub struct Edge {
    /// The port of the network `public`.
    pub port: u16,
    /// The port of the management API.
    pub admin: u16,
    /// Its files.
    pub dir: Workdir,
    /// The gateway.
    pub host: RunningGateway,
}

/// How an [`Edge`] is started.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// Its code at the control plane, in whose team it is.
    pub code: &'static str,
    /// The team there.
    pub team: &'static str,
    /// The interval in seconds.
    pub interval: u64,
    /// More of its config.toml.
    pub sections: String,
    /// Whether it is authorized from the start.
    pub authorized: bool,
    /// Whether it pushes its configuration up first.
    pub push: bool,
    /// Its wall clock, when it is not the machine's.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self {
            code: "edge",
            team: "acme",
            interval: 1,
            sections: String::new(),
            authorized: true,
            push: false,
            clock: None,
        }
    }
}

impl Edge {
    /// One of the team `acme` that follows `cloud` every second.
    pub async fn following(cloud: &ControlPlane) -> Self {
        Self::with(cloud, EdgeOptions::default()).await
    }

    /// One that is only told to ask.
    pub async fn on_demand(cloud: &ControlPlane) -> Self {
        Self::with(cloud, EdgeOptions { interval: 0, ..EdgeOptions::default() }).await
    }

    /// One of its own kind.
    ///
    /// # Panics
    /// With every problem, when the configuration is refused.
    pub async fn with(cloud: &ControlPlane, options: EdgeOptions) -> Self {
        let machine_token =
            options.authorized.then(|| Secret::new(cloud.authorized(options.team, options.code).to_string()));
        let (port, admin) = (free_port(), free_port());
        let config = EDGE
            .replace("API", cloud.url())
            .replace("INTERVAL", &options.interval.to_string())
            .replace("id = \"edge\"", &format!("id = \"{}\"", options.code));
        let dir = Workdir::new();
        dir.write("config.toml", &on_ports(&format!("{config}{}", options.sections), port, admin));
        let host = start(&dir, machine_token, options.push, options.clock).await;
        Self { port, admin, dir, host }
    }

    /// Stops it and starts it again on the same files.
    pub async fn restarted(self) -> Self {
        let Self { port, admin, dir, host } = self;
        host.shut_down(Duration::from_secs(5)).await;
        let host = start(&dir, None, false, None).await;
        Self { port, admin, dir, host }
    }

    /// A URL of the network `public`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A URL of the management network.
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin)
    }
}

async fn start(
    dir: &Workdir,
    machine_token: Option<Secret>,
    push: bool,
    clock: Option<Arc<dyn Clock>>,
) -> RunningGateway {
    let environment = Environment { machine_token, ..Environment::default() };
    let deadlines = Deadlines {
        connect: Duration::from_secs(2),
        read: Duration::from_secs(2),
        total: Duration::from_secs(4),
    };
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment).with_deadlines(deadlines));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    options.push_on_start = push;
    options.clock = clock.unwrap_or(options.clock);
    RunningGateway::start(options).await.unwrap_or_else(|refusal| {
        let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
        panic!("refused ({}):\n{}", refusal.class, problems.join("\n"))
    })
}
