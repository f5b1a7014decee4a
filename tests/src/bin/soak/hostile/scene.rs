//! The scene of the hostile soak: a gateway with its files, backends, control plane, neighbours and crowd.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use futures_util::stream;
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::fault_proxy::FaultProxy;
use harmony_tests::site::{forward, on_ports};
use harmony_tests::{RUNBEAM_CONFIG, Upstream, Workdir, client, free_port, full};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::backend_clients::BackendClients;
use super::crowd::Crowd;
use super::findings::Findings;
use super::neighbours::Neighbours;
use super::process::{DRAIN_SECONDS, Process, Stderr, Usage};
use super::rogue_backends::RogueBackends;
use super::rogue_cloud;
use crate::change::document;

/// The time in which an edit must be live while the crowd is there.
const EDIT_LIMIT: Duration = Duration::from_secs(30);

/// The time after which resources must be back where they were. Connections to backends stay open for 45 s.
const RECOVERY: Duration = Duration::from_secs(150);

/// The resources that may remain in use. Memory: what the allocator keeps after a peak of some 500 connections;
/// descriptors: connections of the neighbours to backends, whose number varies.
const MARGIN: Usage = Usage { kib: 32 * 1024, descriptors: 24 };

/// The size of a large response in chunks of 64 KiB.
const LARGE_CHUNKS: usize = 512;

pub(super) struct Scene {
    process: Process,
    dir: Workdir,
    port: u16,
    admin: u16,
    cloud: Arc<(ControlPlane, FaultProxy)>,
    /// The backends; they serve until they are dropped.
    _upstreams: [Upstream; 3],
    rogues: RogueBackends,
    neighbours: Option<(Neighbours, BackendClients)>,
    crowd: Option<Crowd>,
    rogue: Option<JoinHandle<()>>,
    version: usize,
    peak: Usage,
}

impl Scene {
    /// Starts the gateway and its neighbours. `None` if it does not become ready.
    pub(super) async fn start(program: &Path, stderr: Stderr, findings: &Findings) -> Option<Self> {
        let cloud = FaultProxy::in_front_of(ControlPlane::builder()).await;
        let (port, admin) = (free_port(), free_port());
        let config = RUNBEAM_CONFIG.replace("API", cloud.1.url()).replace("INTERVAL", "1");
        let ordinary = Upstream::with_handler(|_| async { http::Response::new(full("answered")) }).await;
        let early = Upstream::streaming(|_| async {
            let mut response = http::Response::new(full("no"));
            *response.status_mut() = http::StatusCode::UNAUTHORIZED;
            response
        })
        .await;
        let large = Upstream::streaming(|_| async { http::Response::new(large()) }).await;
        let rogues = RogueBackends::start().await;
        let sections = [
            forward("backend", "/backend", &ordinary.url()),
            forward("early", "/early", &early.url()),
            forward("large", "/large", &large.url()),
            forward("gone", "/gone", &format!("http://127.0.0.1:{}", free_port())),
            rogues.sections(),
        ];
        let dir = Workdir::with([
            ("config.toml", on_ports(&(config + &sections.concat()), port, admin)),
            ("ca.pem", rogues.certificate()),
            ("pipelines/steady.toml", document("steady", 0)),
            ("pipelines/edited.toml", document("edited", 0)),
        ]);
        let token = cloud.0.authorize("acme", "edge").to_string();
        let process = Process::start(program, &dir.config(), &token, stderr);
        let mut scene = Self {
            process,
            dir,
            port,
            admin,
            cloud: Arc::new(cloud),
            _upstreams: [ordinary, early, large],
            rogues,
            neighbours: None,
            crowd: None,
            rogue: None,
            version: 0,
            peak: Usage::default(),
        };
        let start = Instant::now();
        while scene.status().await.is_none() {
            if start.elapsed() > EDIT_LIMIT || !scene.is_running(findings) {
                findings.violation("the gateway does not start", format!("{stderr}"));
                return None;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let neighbours = Neighbours::start(port, admin, findings);
        scene.neighbours = Some((neighbours, BackendClients::start(port, &scene.rogues, findings)));
        Some(scene)
    }

    /// Waits until the gateway has served its neighbours for a while, and returns its resources.
    pub(super) async fn calm_usage(&self) -> Usage {
        sleep(Duration::from_secs(10)).await;
        self.process.usage()
    }

    /// Returns the resources of the gateway.
    pub(super) fn usage(&mut self) -> Usage {
        let now = self.process.usage();
        self.peak.kib = self.peak.kib.max(now.kib);
        self.peak.descriptors = self.peak.descriptors.max(now.descriptors);
        now
    }

    /// Returns whether the process runs; records its end.
    pub(super) fn is_running(&mut self, findings: &Findings) -> bool {
        let ended = self.process.ended();
        if let Some(status) = ended {
            findings.violation("the gateway ended", status.to_string());
        }
        ended.is_none()
    }

    /// Starts the hostile clients and the faults of the control plane.
    pub(super) fn let_in_the_crowd(&mut self, seed: u64) {
        let mut rng = Rng::with_seed(seed);
        self.crowd = Some(Crowd::start(self.port, self.admin, rng.fork()));
        let cloud = Arc::clone(&self.cloud);
        self.rogue = Some(tokio::spawn(async move { rogue_cloud::run(&cloud.0, &cloud.1, rng).await }));
    }

    /// Edits a file every few seconds for `duration`. Each edit must be live soon.
    pub(super) async fn edit_for(&mut self, duration: Duration, findings: &Findings) {
        let end = Instant::now() + duration;
        while Instant::now() < end && self.process.ended().is_none() {
            self.version += 1;
            self.dir.replace("pipelines/edited.toml", &document("edited", self.version));
            let start = Instant::now();
            while self.edited_version().await != Some(self.version) {
                if start.elapsed() > EDIT_LIMIT {
                    findings.violation("an edit is not live", format!("version {}", self.version));
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
            findings.answered("edit", start.elapsed());
            self.usage();
            sleep(Duration::from_secs(5).min(end.saturating_duration_since(Instant::now()))).await;
        }
    }

    async fn edited_version(&self) -> Option<usize> {
        let url = format!("http://127.0.0.1:{}/edited", self.port);
        let answer = client().get(&url).timeout(EDIT_LIMIT).send().await.ok()?;
        answer.json::<Value>().await.ok()?["endpoint"].as_str()?.rsplit_once("_v")?.1.parse().ok()
    }

    async fn status(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/admin/provider", self.admin);
        client().get(&url).timeout(EDIT_LIMIT).send().await.ok()?.json().await.ok()
    }

    /// Closes all hostile connections, ends the faults, and waits until the gateway has applied a new change and uses what
    /// it used `before`.
    pub(super) async fn send_the_crowd_away(&mut self, before: Usage, findings: &Findings) {
        self.crowd = None;
        if let Some(rogue) = self.rogue.take() {
            rogue.abort();
            let _ = rogue.await;
        }
        rogue_cloud::calm(&self.cloud.0, &self.cloud.1).await;
        let change = self.cloud.0.change("edge", "pipeline", &document("last", 1));
        let start = Instant::now();
        loop {
            let now = self.process.usage();
            let small = now.kib <= before.kib + MARGIN.kib;
            let few = now.descriptors <= before.descriptors + MARGIN.descriptors;
            let applied = self.cloud.0.view(&change).status == Status::Applied;
            if small && few && applied {
                let waited = start.elapsed().as_secs();
                println!("after: {now} ({waited} s after the crowd left; peak {})", self.peak);
                return;
            }
            if start.elapsed() > RECOVERY || !self.is_running(findings) {
                if !small || !few {
                    let used = format!("{now} after {before}, peak {}", self.peak);
                    findings.violation("resources are not returned", used);
                }
                if !applied {
                    let status = self.status().await.unwrap_or_default().to_string();
                    findings.violation("a change is not applied after the faults", status);
                }
                return;
            }
            // An operator would not wait for the backoff.
            let sync = format!("http://127.0.0.1:{}/admin/sync", self.admin);
            let _ = client().post(sync).timeout(EDIT_LIMIT).send().await;
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Ends the gateway while some clients are silent, half open or idle.
    pub(super) async fn say_goodbye(&mut self, findings: &Findings) {
        self.neighbours = None;
        let mut clients = Vec::new();
        for port in [self.port, self.admin] {
            for sent in ["", "P", "GET / HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
                let connecting = TcpStream::connect(("127.0.0.1", port));
                if let Ok(Ok(mut stream)) = timeout(Duration::from_secs(2), connecting).await {
                    let _ = stream.write_all(sent.as_bytes()).await;
                    clients.push(stream);
                }
            }
        }
        sleep(Duration::from_millis(500)).await;
        let limit = Duration::from_secs(DRAIN_SECONDS + 5);
        match self.process.terminate(limit).await {
            None => findings.violation("SIGTERM does not end the gateway", format!("not within {limit:?}")),
            Some(status) if !status.success() => findings.violation("the gateway ended", status.to_string()),
            Some(_) => {}
        }
        drop(clients);
    }
}

/// A large body, made as it is read.
fn large() -> http_body_util::combinators::BoxBody<Bytes, std::io::Error> {
    let chunks =
        stream::iter((0..LARGE_CHUNKS).map(|_| Ok(Frame::data(Bytes::from_static(&[b'x'; 64 * 1024])))));
    StreamBody::new(chunks).boxed()
}
