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

/// A control plane of one test: it answers what it is told and remembers what it was asked. What it was not
/// told anything about is not found, so the API is where the configuration says.
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

type Script = dyn Fn(&Asked) -> Option<Answer> + Send + Sync;

struct State {
    script: Mutex<Arc<Script>>,
    asked: watch::Sender<Vec<Asked>>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path, with the query.
    pub(crate) what: String,
    pub(crate) bearer: Option<String>,
    pub(crate) etag: Option<String>,
    /// The head as it came, for what must not be anywhere in it.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl StandIn {
    pub(crate) async fn answering(script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(State { script: Mutex::new(Arc::new(script)), asked: watch::Sender::new(Vec::new()) });
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, serving }
    }

    /// One that gives every question whose path ends in `path` the same answer.
    pub(crate) async fn with(
        path: &'static str,
        answer: impl Fn() -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::answering(move |asked| asked.is_for(path).then(&answer)).await
    }

    pub(crate) fn answer_instead(&self, script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(script);
    }

    /// Everything that was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.borrow().clone()
    }

    /// What was asked where `path` is.
    pub(crate) fn asked_for(&self, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.is_for(path)).collect()
    }

    /// Waits until `path` was asked for.
    pub(crate) async fn reached(&self, path: &str) {
        self.until(|all| all.iter().any(|asked| asked.is_for(path))).await;
    }

    /// Waits until anything was asked for that is not `path`.
    pub(crate) async fn reached_but(&self, path: &str) {
        self.until(|all| all.iter().any(|asked| !asked.is_for(path))).await;
    }

    /// Waits until more than `count` questions were asked.
    pub(crate) async fn reached_more_than(&self, count: usize) {
        self.until(|all| all.len() > count).await;
    }

    async fn until(&self, done: impl Fn(&[Asked]) -> bool + Send + Sync) {
        let mut asked = self.state.asked.subscribe();
        let waiting = asked.wait_for(|all| done(all));
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        drop(waited.expect("the question").unwrap());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Asked {
    /// Whether the path, without the query, ends in `path`.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        self.what.split('?').next().unwrap().ends_with(path)
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
    let mut asked = Asked {
        what: format!("{} {}", request.method(), request.uri()),
        bearer: header("authorization").map(|value| value.replace("Bearer ", "")),
        etag: header("if-none-match"),
        head: format!("{} {:?}", request.uri(), request.headers()),
        body: String::new(),
    };
    asked.body = String::from_utf8(request.into_body().collect().await?.to_bytes().to_vec()).unwrap();
    state.asked.send_modify(|all| all.push(asked.clone()));
    let script = Arc::clone(&state.script.lock().unwrap());
    match script(&asked).unwrap_or_else(|| Answer::status(404, &json!({ "error": "not found" }))) {
        Answer::Response(response) => Ok(*response),
        Answer::Silence => std::future::pending().await,
    }
}

/// The list of pending changes, newest first as the control plane has it.
pub(crate) fn list(ids: &[&str]) -> Value {
    let data: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "type": "pipeline" })).collect();
    json!({ "data": data })
}
