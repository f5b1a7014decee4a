use std::io::Error;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::wire::{Scissors, Wire};

/// The body of an answer; an error in it cuts the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// An answer to come; an error instead of one cuts the connection.
pub(crate) type Served = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

/// The open port and everything connected to it.
#[derive(Debug)]
pub(crate) struct Server(JoinHandle<()>);

impl Server {
    pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
        TcpListener::bind(address).await
    }

    /// Serves what connects, until it is stopped. `serve` can have the connection cut by its scissors.
    pub(crate) fn start(
        listener: TcpListener,
        serve: impl Fn(Scissors, Request<Incoming>) -> Served + Clone + Send + 'static,
    ) -> Self {
        Self(tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let _ = stream.set_nodelay(true);
                        let (wire, scissors) = Wire::new(stream);
                        let serve = serve.clone();
                        let service = service_fn(move |request| serve(scissors.clone(), request));
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
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}
