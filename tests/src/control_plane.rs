//! A development control plane: a stand-in for Runbeam Cloud.
//!
//! The stand-in implements the whole protocol on a real socket, checks requests strictly, records every request, and injects
//! faults of networks and clouds. People run it with the `control-plane` binary; tests use [`ControlPlane`].
//!
//! ```no_run
//! # async fn example() {
//! use harmony_tests::control_plane::{ControlPlane, Fault, When};
//!
//! let cloud = ControlPlane::start().await;
//! let token = cloud.authorize("radiology-dept", "scanner-1");
//! cloud.inject(When::path("/harmony/changes/*").times(2), Fault::status(503));
//! let change = cloud.put_document("scanner-1", "pipeline", "[pipelines.api]\nnetworks = [\"default\"]\n");
//! // A gateway that has `token` polls, applies the change and reports it.
//! let change = cloud.wait_until_settled(&change).await;
//! assert_eq!(change.status, harmony_tests::control_plane::Status::Applied);
//! # let _ = token;
//! # }
//! ```

mod authorize;
mod builder;
pub(crate) mod call;
mod change;
mod change_calls;
mod core;
mod credential;
pub(crate) mod cuttable_stream;
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
mod response;
mod routes;
pub(crate) mod rules;
mod serve;
pub(crate) mod server;
mod standing;
mod state;
mod store;
mod team;
#[cfg(test)]
mod tests;
mod update;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;

pub use self::builder::Builder;
pub use self::change::{ChangeView, Status};
pub use self::credential::Credential;
pub use self::faults::{Fault, When};
pub use self::library::MachineTokenJson;
pub use self::log::LoggedRequest;
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
    /// Starts an empty control plane at a free port.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub async fn start() -> Self {
        Self::builder().start().await.expect("a port that is free")
    }

    /// Returns a builder for a control plane with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The URL by which clients reach it, without `/api`: its own address, or the proxy in front of it.
    pub fn url(&self) -> &str {
        &self.core.url
    }

    /// The address of the listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener and drops every connection. The state is preserved.
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Listens again at the same address, after [`stop`](Self::stop).
    ///
    /// # Panics
    /// Panics if another process has taken the address.
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        if server.is_none() {
            let listener = Server::listen(self.address).await.expect("the address it had before");
            *server = Some(Server::start(listener, serve::service(&self.core)));
        }
    }
}
