//! A server behind the gateway that records requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request that an upstream received.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// The response of an upstream.
pub type UpstreamResponse = Response<BoxBody<Bytes, std::io::Error>>;

/// A server behind the gateway that records every request.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
    serving: JoinHandle<()>,
}

impl Upstream {
    /// Starts an upstream that responds 200 with `text`.
    pub async fn with_body(text: &'static str) -> Self {
        Self::with_handler(move |_| async move { Response::new(full(text)) }).await
    }

    /// Starts an upstream that calls `handler` with each complete request.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub async fn with_handler<F>(
        handler: impl Fn(RecordedRequest) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = UpstreamResponse> + Send + 'static,
    {
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&recorded);
        Self::serving(requests, move |request: Request<Incoming>| {
            let (handler, recorded) = (handler.clone(), Arc::clone(&recorded));
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                let request =
                    RecordedRequest { method: parts.method, uri: parts.uri, headers: parts.headers, body };
                recorded.lock().expect("no panic").push(request.clone());
                handler(request).await
            }
        })
        .await
    }

    /// Starts an upstream that streams requests and responses through `handler`. Records nothing.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub async fn streaming<F>(
        handler: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = UpstreamResponse> + Send + 'static,
    {
        Self::serving(Arc::default(), handler).await
    }

    async fn serving<F>(
        requests: Arc<Mutex<Vec<RecordedRequest>>>,
        handler: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = UpstreamResponse> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                let handler = handler.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let handler = handler.clone();
                        async move { Ok::<_, Infallible>(handler(request).await) }
                    });
                    let mut builder = auto::Builder::new(TokioExecutor::new());
                    // More than the gateway forwards.
                    builder.http1().max_headers(1000);
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, requests, serving }
    }

    /// The address of the listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    ///
    /// # Panics
    /// Never.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The last request.
    ///
    /// # Panics
    /// Panics if there was none.
    pub fn last_request(&self) -> RecordedRequest {
        self.requests().pop().expect("the upstream received a request")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A complete body.
pub fn full(text: impl Into<Bytes>) -> BoxBody<Bytes, std::io::Error> {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}
