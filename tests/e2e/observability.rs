//! The view of an operator on a running gateway: metrics, the access log, the ids of requests.

mod access_log;
mod control;
mod documents;
mod identity;
mod otlp;
mod requests;
mod scrapes;
mod secrets;

use harmony_tests::site::on_ports;
use harmony_tests::{Gateway, Workdir, free_port};

/// A gateway as a process, on the provider `local`.
struct Observed {
    port: u16,
    admin: u16,
    dir: Workdir,
    gateway: Gateway,
}

impl Observed {
    /// Starts a gateway with a config.toml, whose ports are placeholders.
    async fn start(config: &str, arguments: &[&str]) -> Self {
        Self::start_in(Workdir::new(), config, arguments).await
    }

    async fn start_in(dir: Workdir, config: &str, arguments: &[&str]) -> Self {
        let (port, admin) = (free_port(), free_port());
        dir.write("config.toml", &on_ports(config, port, admin));
        let mut gateway = Gateway::spawn(&dir.config(), arguments);
        gateway.wait_until_ready().await;
        Self { port, admin, dir, gateway }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Sends a GET request and returns the status.
    async fn status(&self, path: &str) -> u16 {
        harmony_tests::get(self.url(path)).await.expect("a response").status().as_u16()
    }
}
