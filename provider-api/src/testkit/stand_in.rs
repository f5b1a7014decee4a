//! The stand-in: an HTTP server that plays the control plane and simulates faults.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::Trouble;

mod answer;
mod edit;
mod request;
mod serve;
mod shared;

pub use answer::Answer;
pub use request::Asked;
use shared::{Shared, lock};

/// A simulated control plane: an HTTP/1.1 server whose responses come from a function.
///
/// The server listens on a free port of the loopback interface until it is dropped, records all requests,
/// and simulates the faults of networks and proxies, see [`Trouble`].
///
/// ```
/// use provider_api::testkit::{Answer, StandIn, Trouble};
/// use serde_json::json;
///
/// # async fn example() -> std::io::Result<()> {
/// let cloud = StandIn::start(|request| match (request.path.as_str(), request.bearer()) {
///     (_, None) => Answer::refusal(401, "a bearer token is required"),
///     ("/changes", _) => Answer::json(200, &json!({ "changes": [] })),
///     _ => Answer::refusal(404, "no such path"),
/// })
/// .await?;
/// // Configure the provider with `cloud.url()`. Its requests are in `cloud.asked()`.
/// cloud.trouble("GET /changes", &Trouble::Silence).await;
/// cloud.calm().await?;
/// # Ok(())
/// # }
/// ```
pub struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl StandIn {
    /// Starts a server that responds with the result of `handler`. Requires a Tokio runtime.
    ///
    /// # Errors
    /// Fails when no port is free.
    pub async fn start(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared =
            Shared { handler: Box::new(handler), requests: Mutex::default(), troubles: Mutex::default() };
        let shared = Arc::new(shared);
        let serving = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, serving: Mutex::new(Some(serving)) })
    }

    /// Returns the base URL, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all requests so far, in the order of their arrival.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.requests).clone()
    }

    /// Simulates `trouble` for the requests that start with `request`, such as `/changes` or `POST /changes`.
    ///
    /// Lasts until [`calm`](Self::calm). The latest matching call wins. [`Trouble::Unreachable`] closes the
    /// port, so it affects all requests.
    pub async fn trouble(&self, request: &str, trouble: &Trouble) {
        match trouble {
            Trouble::Unreachable => self.stop().await,
            _ => lock(&self.shared.troubles).push((request.to_owned(), trouble.clone())),
        }
    }

    /// Ends all troubles, and opens the port again.
    ///
    /// # Errors
    /// Fails when another process has taken the port while it was closed.
    pub async fn calm(&self) -> io::Result<()> {
        lock(&self.shared.troubles).clear();
        if lock(&self.serving).is_none() {
            let listener = TcpListener::bind(self.address).await?;
            let serving = tokio::spawn(accept(listener, Arc::clone(&self.shared)));
            *lock(&self.serving) = Some(serving);
        }
        Ok(())
    }

    async fn stop(&self) {
        let serving = lock(&self.serving).take();
        if let Some(serving) = serving {
            serving.abort();
            // The port closes when the task ends, so wait for that. The error only says that it was aborted.
            serving.await.ok();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Owned by this task, so that aborting it closes all connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve::serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(serving) = lock(&self.serving).take() {
            serving.abort();
        }
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("address", &self.address).finish_non_exhaustive()
    }
}
