//! The listener and its connections, for the control plane and the fault proxy.

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

use super::cuttable_stream::{CutHandle, CuttableStream};

/// The body of a response. An error in it cuts the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// The future of a response. An error cuts the connection.
pub(crate) type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

/// A listener and its connections. Both close on drop.
#[derive(Debug)]
pub(crate) struct Server(JoinHandle<()>);

impl Server {
    pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
        TcpListener::bind(address).await
    }

    /// Serves connections until it is stopped. `serve` gets a handle that cuts its connection.
    pub(crate) fn start(
        listener: TcpListener,
        serve: impl Fn(CutHandle, Request<Incoming>) -> ResponseFuture + Clone + Send + 'static,
    ) -> Self {
        Self(tokio::spawn(async move {
            // Aborting this task drops the set, and with it all connections.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let _ = stream.set_nodelay(true);
                        let (wire, cut) = CuttableStream::new(stream);
                        let serve = serve.clone();
                        let service = service_fn(move |request| serve(cut.clone(), request));
                        connections.spawn(async move {
                            // Tests cut connections on purpose, so errors are expected.
                            let _ = http1::Builder::new().serve_connection(TokioIo::new(wire), service).await;
                        });
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        }))
    }

    /// Closes the listener and drops all connections before it returns.
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
