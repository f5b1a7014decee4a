//! The stand-in for the control plane.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::answer::{Answer, Content};

/// A control plane for one test, with scripted responses and a record of the requests. Requests without a scripted
/// response get 404; so does discovery, and the API is then at the configured URL.
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

type Script = dyn Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync;

struct State {
    script: Mutex<Arc<Script>>,
    requests: watch::Sender<Vec<ReceivedRequest>>,
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    /// The method, the path and the query.
    pub(crate) target: String,
    pub(crate) bearer: Option<String>,
    pub(crate) etag: Option<String>,
    /// The URI and all headers, to check that a secret is nowhere in them.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl StandIn {
    /// Starts a stand-in. A request for which `script` returns `None` gets 404.
    pub(crate) async fn answering(
        script: impl Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(Arc::new(script)),
            requests: watch::Sender::new(Vec::new()),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, serving }
    }

    /// Starts a stand-in with the same response for every path that ends in `path`.
    pub(crate) async fn with(
        path: &'static str,
        answer: impl Fn() -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::answering(move |request| request.is_for(path).then(&answer)).await
    }

    /// Replaces the script.
    pub(crate) fn respond_with(
        &self,
        script: impl Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync + 'static,
    ) {
        *self.state.script.lock().unwrap() = Arc::new(script);
    }

    /// Returns all requests, in order.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.requests.borrow().clone()
    }

    /// Returns the requests whose path ends in `path`.
    pub(crate) fn requests_to(&self, path: &str) -> Vec<ReceivedRequest> {
        self.requests().into_iter().filter(|request| request.is_for(path)).collect()
    }

    /// Waits for a request to `path`.
    pub(crate) async fn wait_for(&self, path: &str) {
        self.until(|all| all.iter().any(|request| request.is_for(path))).await;
    }

    /// Waits for a request to any path but `path`.
    pub(crate) async fn wait_for_other_than(&self, path: &str) {
        self.until(|all| all.iter().any(|request| !request.is_for(path))).await;
    }

    /// Waits until there are more than `count` requests.
    pub(crate) async fn wait_for_more_than(&self, count: usize) {
        self.until(|all| all.len() > count).await;
    }

    async fn until(&self, done: impl Fn(&[ReceivedRequest]) -> bool + Send + Sync) {
        let mut requests = self.state.requests.subscribe();
        let waiting = requests.wait_for(|all| done(all));
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        drop(waited.expect("the request").unwrap());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl ReceivedRequest {
    /// Reports whether the path, without the query, ends in `path`.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        self.target.split('?').next().unwrap().ends_with(path)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        let service = service_fn(move |request| respond(Arc::clone(&state), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn respond(state: Arc<State>, request: Request<Incoming>) -> hyper::Result<Response<Content>> {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
    let mut received = ReceivedRequest {
        target: format!("{} {}", request.method(), request.uri()),
        bearer: header("authorization").map(|value| value.replace("Bearer ", "")),
        etag: header("if-none-match"),
        head: format!("{} {:?}", request.uri(), request.headers()),
        body: String::new(),
    };
    received.body = String::from_utf8(request.into_body().collect().await?.to_bytes().to_vec()).unwrap();
    state.requests.send_modify(|all| all.push(received.clone()));
    let script = Arc::clone(&state.script.lock().unwrap());
    match script(&received).unwrap_or_else(|| Answer::status(404, &json!({ "error": "not found" }))) {
        Answer::Response(response) => Ok(*response),
        Answer::Silence => std::future::pending().await,
    }
}

/// Returns a list of pending changes, newest first, as the control plane sends it.
pub(crate) fn list(ids: &[&str]) -> Value {
    let data: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "type": "pipeline" })).collect();
    json!({ "data": data })
}
