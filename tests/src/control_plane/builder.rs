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

/// How a control plane is to be.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    listen: Option<SocketAddr>,
    known_as: Option<String>,
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
            narrate: false,
        };
        Self { listen: None, known_as: None, settings }
    }
}

impl Builder {
    /// Listens there, instead of at a free port of the loopback.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Calls itself by this URL, instead of by its address: something stands in front of it.
    pub fn known_as(mut self, url: impl Into<String>) -> Self {
        self.known_as = Some(url.into());
        self
    }

    /// Shows so many changes on a page, instead of 15.
    pub fn per_page(mut self, per_page: usize) -> Self {
        self.settings.per_page = per_page.max(1);
        self
    }

    /// Issues machine tokens that last so many seconds, instead of 30 days. Zero or less: expired at once.
    pub fn machine_tokens_last(mut self, seconds: i64) -> Self {
        self.settings.machine_token_seconds = seconds;
        self
    }

    /// Issues mesh tokens that last so many seconds, instead of 5 minutes.
    pub fn mesh_tokens_last(mut self, seconds: i64) -> Self {
        self.settings.mesh_token_seconds = seconds;
        self
    }

    /// Says how long the key set may be cached.
    pub fn jwks_max_age(mut self, seconds: u32) -> Self {
        self.settings.jwks_max_age = Some(seconds);
        self
    }

    /// Keeps everything in a file, which is read now if it exists.
    pub fn data(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.data = Some(file.into());
        self
    }

    /// Prints every request.
    pub fn narrate(mut self) -> Self {
        self.settings.narrate = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the file cannot be read or the address not be listened at.
    pub async fn start(self) -> Result<ControlPlane, Error> {
        let state = self.settings.data.as_deref().map_or_else(|| Ok(State::default()), store::read)?;
        let address = self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let listener = Server::listen(address).await?;
        let address = listener.local_addr()?;
        let url = self.known_as.unwrap_or_else(|| format!("http://{address}"));
        let core = Arc::new(Core::new(url, self.settings, state));
        let server = Server::start(listener, service(&core));
        Ok(ControlPlane { core, address, server: Mutex::new(Some(server)) })
    }
}
