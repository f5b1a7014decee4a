use std::io::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::core::Core;
use super::serve::serve;
use super::wire::Wire;

/// The open port and everything connected to it.
#[derive(Debug)]
pub(super) struct Server(JoinHandle<()>);

impl Server {
    pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
        TcpListener::bind(address).await
    }

    pub(super) fn start(listener: TcpListener, core: Arc<Core>) -> Self {
        Self(tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let _ = stream.set_nodelay(true);
                        let (wire, scissors) = Wire::new(stream);
                        let core = Arc::clone(&core);
                        let service = service_fn(move |request| serve(Arc::clone(&core), scissors.clone(), request));
                        connections.spawn(async move {
                            // A connection that breaks is what some tests want.
                            let _ = http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
                        });
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        }))
    }

    /// Closes the port and drops the connections, before it returns.
    pub(super) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}
