//! A gateway of the demo.

use std::path::PathBuf;

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::on_ports;
use harmony_tests::{RUNBEAM_CONFIG, Workdir, client, free_port};
use provider_api::Registry;
use provider_local::LocalFactory;
use provider_runbeam::{Environment, RunbeamFactory};
use serde_json::{Value, json};

/// A gateway with its own files, ports and state.
pub(crate) struct Node {
    pub(crate) code: &'static str,
    pub(crate) port: u16,
    admin: u16,
    pub(crate) dir: Workdir,
    pub(crate) host: RunningGateway,
}

impl Node {
    /// Starts a gateway that is configured with the address of its control plane only.
    pub(crate) async fn start(cloud: &ControlPlane, code: &'static str) -> Result<Self, String> {
        let (port, admin) = (free_port(), free_port());
        let config = RUNBEAM_CONFIG
            .replace("# This comment stays.\n", "")
            .replace("API", cloud.url())
            .replace("INTERVAL", "1")
            .replace("id = \"edge\"", &format!("id = \"{code}\""));
        let dir = Workdir::new();
        dir.write("config.toml", &on_ports(&config, port, admin));
        let mut registry = Registry::new();
        registry.register(LocalFactory).register(RunbeamFactory::new(Environment::default()));
        let mut options = HostOptions::new(dir.config(), registry);
        options.state_dir = dir.path().join("state");
        let host = RunningGateway::start(options).await.map_err(|refusal| {
            refusal.problems.errors().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        Ok(Self { code, port, admin, dir, host })
    }

    /// Authorizes the gateway over its management API, as a user does. Returns its id.
    pub(crate) async fn authorize(&self, user_token: &str) -> Result<String, String> {
        let request = client().post(self.admin("/admin/authorize")).bearer_auth(user_token);
        let answer = request.json(&json!({ "gateway_code": self.code })).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        match status.is_success() {
            true => Ok(answer["gateway"]["id"].as_str().unwrap_or_default().to_owned()),
            false => Err(format!("{} was not authorized: {status}: {}", self.code, answer["message"])),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn admin(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.config()
    }
}

/// Sends a GET request and returns the status, and the body if it is JSON.
pub(crate) async fn get(url: &str) -> Result<(u16, Value), String> {
    let answer = harmony_tests::get(url).await.map_err(|error| format!("{url}: {error}"))?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.unwrap_or(Value::Null)))
}
