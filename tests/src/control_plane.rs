//! A development control plane: it stands in for the cloud that hands gateways their configuration.
//!
//! It speaks the whole protocol on a real socket, is strict about what it is sent, remembers every request, and can
//! be told to fail in the ways that networks and clouds do. People use it through the `control-plane` binary, tests
//! through [`ControlPlane`].
//!
//! ```no_run
//! # async fn example() {
//! use harmony_tests::control_plane::{ControlPlane, Fault, When};
//!
//! let cloud = ControlPlane::start().await;
//! let token = cloud.authorized("radiology-dept", "scanner-1");
//! cloud.fault(When::path("/harmony/changes/*").times(2), Fault::status(503));
//! let change = cloud.put_document("scanner-1", "pipeline", "[pipelines.api]\nnetworks = [\"default\"]\n");
//! // A gateway that was given `token` polls, applies the change and reports it.
//! let change = cloud.settled(&change).await;
//! assert_eq!(change.status, harmony_tests::control_plane::Status::Applied);
//! # let _ = token;
//! # }
//! ```

mod answer;
mod authorize;
mod builder;
pub(crate) mod call;
mod change;
mod change_calls;
mod core;
mod credential;
mod discovery;
mod document;
mod etag;
pub(crate) mod faults;
mod gateway;
mod gateway_document;
mod id;
mod keys;
mod library;
mod lists;
mod log;
mod login;
mod mesh;
mod mesh_token;
mod observe;
mod overview;
mod page;
mod paging;
mod reference;
mod resolve;
mod resource;
mod routes;
pub(crate) mod rules;
mod serve;
pub(crate) mod server;
mod state;
mod store;
mod team;
#[cfg(test)]
mod tests;
mod update;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

pub use self::builder::Builder;
pub use self::change::{ChangeView, Status};
pub use self::credential::Credential;
pub use self::faults::{Fault, When};
pub use self::library::MachineTokenJson;
pub use self::log::Logged;
pub use self::rules::RuleId;

use self::core::Core;
use self::server::Server;

/// A control plane that runs until it is dropped.
#[derive(Debug)]
pub struct ControlPlane {
    core: Arc<Core>,
    address: SocketAddr,
    server: Mutex<Option<Server>>,
}

impl ControlPlane {
    /// One at a free port, with nothing in it.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start() -> Self {
        Self::builder().start().await.expect("a port that is free")
    }

    /// One that is not as the others.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `http://127.0.0.1:PORT`, without `/api`; of what stands in front of it, where something does.
    pub fn url(&self) -> &str {
        &self.core.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and drops every connection. What it knows stays.
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Listens again, at the same address.
    ///
    /// # Panics
    /// When somebody else took the address.
    pub async fn start_again(&self) {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let listener = Server::listen(self.address).await.expect("the address it had before");
            *server = Some(Server::start(listener, serve::service(&self.core)));
        }
    }
}
