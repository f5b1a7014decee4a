//! The builder of a control plane.

use std::io::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::ControlPlane;
use super::core::{Core, Settings};
use super::serve::service;
use super::server::Server;
use super::state::State;
use super::store;
use crate::ports::free_port;

/// The settings of a control plane that is not yet started.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    listen: Option<SocketAddr>,
    external_url: Option<String>,
    settings: Settings,
}

impl Default for Builder {
    fn default() -> Self {
        let settings = Settings {
            per_page: 15,
            machine_token_seconds: 30 * 24 * 3600,
            mesh_token_seconds: 300,
            jwks_max_age: None,
            data: None,
            print_requests: false,
        };
        Self { listen: None, external_url: None, settings }
    }
}

impl Builder {
    /// Listens at `address` instead of a free loopback port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Uses `url` as its own URL, because a proxy is in front of it.
    pub fn external_url(mut self, url: impl Into<String>) -> Self {
        self.external_url = Some(url.into());
        self
    }

    /// Sets the page size of lists; the default is 15.
    pub fn per_page(mut self, per_page: usize) -> Self {
        self.settings.per_page = per_page.max(1);
        self
    }

    /// Sets the lifetime of machine tokens in seconds; the default is 30 days. 0 or less: expired at once.
    pub fn machine_tokens_last(mut self, seconds: i64) -> Self {
        self.settings.machine_token_seconds = seconds;
        self
    }

    /// Sets the lifetime of mesh tokens in seconds; the default is 5 minutes.
    pub fn mesh_tokens_last(mut self, seconds: i64) -> Self {
        self.settings.mesh_token_seconds = seconds;
        self
    }

    /// Sets the `max-age` of the key set in seconds; by default the header is absent.
    pub fn jwks_max_age(mut self, seconds: u32) -> Self {
        self.settings.jwks_max_age = Some(seconds);
        self
    }

    /// Stores the state in `file`, and loads it from there at the start if the file exists.
    pub fn data(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.data = Some(file.into());
        self
    }

    /// Prints each request to stdout.
    pub fn print_requests(mut self) -> Self {
        self.settings.print_requests = true;
        self
    }

    /// Starts the control plane.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if the address cannot be bound.
    pub async fn start(self) -> Result<ControlPlane, Error> {
        let state = self.settings.data.as_deref().map_or_else(|| Ok(State::default()), store::read)?;
        let address = self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let listener = Server::listen(address).await?;
        let address = listener.local_addr()?;
        let url = self.external_url.unwrap_or_else(|| format!("http://{address}"));
        let core = Arc::new(Core::new(url, self.settings, state));
        let server = Server::start(listener, service(&core));
        Ok(ControlPlane { core, address, server: Mutex::new(Some(server)) })
    }
}
