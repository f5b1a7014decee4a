//! The backends that misbehave, and the pipelines to them.

use fastrand::Rng;
use harmony_tests::site::pipeline;
use harmony_tests::{Http2Server, Identity, Reply};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::rogue_http1::{BODY, Late, close_idle, freeze, reset};

/// The timeout in the pipelines to the backends that give no answer, in seconds.
pub(super) const TIMEOUT_SECONDS: u64 = 3;

/// One of so many requests makes a backend of HTTP/2 go away, or freeze.
const TROUBLE: usize = 8;

/// The responses that a backend may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// 200 with this body.
    Answers(&'static str),
    /// 502 or 504, or a response that breaks off.
    Failures,
    /// An empty 200, 502 or 504.
    Both,
}

/// A pipeline to a misbehaving backend.
#[derive(Clone, Debug)]
pub(super) struct Rogue {
    /// The name of the pipeline, whose path is `/name`.
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    url: String,
}

/// The misbehaving backends. They take connections until they are dropped.
#[derive(Debug)]
pub(super) struct RogueBackends {
    pub(super) all: Vec<Rogue>,
    /// The requests that came too late for a connection that was idle.
    pub(super) late: Late,
    identity: Identity,
    _http2: [Http2Server; 3],
    _http1: JoinSet<()>,
}

impl RogueBackends {
    /// Starts the backends.
    pub(super) async fn start() -> Self {
        let (identity, late, mut http1) = (Identity::new(), Late::default(), JoinSet::new());
        let freezing = listen(&mut http1, freeze).await;
        let resetting = listen(&mut http1, reset).await;
        let of_closing = late.clone();
        let closing =
            listen(&mut http1, move |stream, rng| close_idle(stream, rng, of_closing.clone())).await;
        // The first request of a connection is answered.
        let sometimes = |trouble| {
            move |_, request| if request > 0 && fastrand::usize(..TROUBLE) == 0 { trouble } else { Reply::Ok }
        };
        let http2 = [
            Http2Server::start(&identity, |_, _| Reply::Freeze).await,
            Http2Server::start(&identity, sometimes(Reply::Freeze)).await,
            Http2Server::start(&identity, sometimes(Reply::GoAway)).await,
        ];
        let rogue = |name, expected, url| Rogue { name, expected, url };
        let all = vec![
            rogue("freezes_tls", Expected::Failures, freezing.replace("http:", "https:")),
            rogue("freezes", Expected::Failures, freezing),
            rogue("freezes_http2", Expected::Failures, http2[0].url()),
            rogue("freezes_sometimes", Expected::Both, http2[1].url()),
            rogue("resets", Expected::Failures, resetting),
            rogue("closes_idle", Expected::Answers(BODY), closing),
            rogue("goes_away", Expected::Answers(""), http2[2].url()),
        ];
        Self { all, late, identity, _http2: http2, _http1: http1 }
    }

    /// Returns the certificate of the backends, for the file ca.pem.
    pub(super) fn certificate(&self) -> String {
        self.identity.cert.clone()
    }

    /// Returns the pipelines to the backends.
    pub(super) fn sections(&self) -> String {
        let section = |rogue: &Rogue| {
            let url = &rogue.url;
            let timeout = match rogue.expected {
                Expected::Answers(_) => String::new(),
                Expected::Failures | Expected::Both => format!("timeout_secs = {TIMEOUT_SECONDS}\n"),
            };
            let backend = format!(
                "service = \"http\"\noptions.base_url = \"{url}\"\noptions.ca_cert_path = \"ca.pem\"\n{timeout}"
            );
            pipeline(rogue.name, &format!("/{}", rogue.name), &backend)
        };
        self.all.iter().map(section).collect()
    }
}

/// Serves each connection to a new port with `serve`. Returns the URL.
async fn listen<F>(
    tasks: &mut JoinSet<()>,
    serve: impl Fn(TcpStream, Rng) -> F + Send + Sync + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tasks.spawn(async move {
        loop {
            // Without a descriptor for it, the connection waits.
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, Rng::new()))),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    });
    url
}
