//! A gateway in the test's process that follows a control plane.

use std::sync::Arc;
use std::time::Duration;

use harmony_host::{HostOptions, RunningGateway};
use provider_api::{Clock, Registry, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Deadlines, Environment, RunbeamFactory};

use crate::control_plane::ControlPlane;
use crate::site::on_ports;
use crate::{Workdir, free_port};

/// The config.toml of a gateway with the provider `runbeam`; `API`, `INTERVAL`, `PORT` and `ADMIN` are placeholders.
pub const RUNBEAM_CONFIG: &str = r#"# This comment stays.
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

/// A gateway in this process that follows a control plane. Stops on drop.
#[derive(Debug)]
pub struct InProcessGateway {
    /// The port of the network `public`.
    pub port: u16,
    /// The port of the management API.
    pub admin: u16,
    /// The configuration directory.
    pub dir: Workdir,
    /// The gateway.
    pub host: RunningGateway,
}

/// The options of an [`InProcessGateway`].
#[derive(Clone, Debug)]
pub struct InProcessGatewayOptions {
    /// The gateway's code at the control plane.
    pub code: &'static str,
    /// The gateway's team.
    pub team: &'static str,
    /// The poll interval in seconds; 0 polls on demand only.
    pub interval: u64,
    /// More sections for config.toml.
    pub sections: String,
    /// Authorizes the gateway before it starts.
    pub authorized: bool,
    /// Pushes the configuration to the control plane at the start.
    pub push: bool,
    /// The wall clock, if it is not the machine's.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for InProcessGatewayOptions {
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

impl InProcessGateway {
    /// Starts a gateway of the team `acme` that polls `cloud` every second.
    pub async fn following(cloud: &ControlPlane) -> Self {
        Self::with(cloud, InProcessGatewayOptions::default()).await
    }

    /// Starts a gateway that polls on demand only.
    pub async fn on_demand(cloud: &ControlPlane) -> Self {
        Self::with(cloud, InProcessGatewayOptions { interval: 0, ..InProcessGatewayOptions::default() }).await
    }

    /// Starts a gateway with these options.
    ///
    /// # Panics
    /// Panics with every problem if the configuration is rejected.
    pub async fn with(cloud: &ControlPlane, options: InProcessGatewayOptions) -> Self {
        let machine_token =
            options.authorized.then(|| Secret::new(cloud.authorize(options.team, options.code).to_string()));
        let (port, admin) = (free_port(), free_port());
        let config = RUNBEAM_CONFIG
            .replace("API", cloud.url())
            .replace("INTERVAL", &options.interval.to_string())
            .replace("id = \"edge\"", &format!("id = \"{}\"", options.code));
        let dir = Workdir::new();
        dir.write("config.toml", &on_ports(&format!("{config}{}", options.sections), port, admin));
        let host = start(&dir, machine_token, options.push, options.clock).await;
        Self { port, admin, dir, host }
    }

    /// Stops the gateway and starts a new one on the same files.
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
    // A busy machine may leave the one thread of a test alone for seconds; no test waits for these to pass.
    let deadlines = Deadlines {
        connect: Duration::from_secs(10),
        read: Duration::from_secs(10),
        total: Duration::from_secs(20),
        ..Deadlines::default()
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
