//! The state of the soak test: control plane, network, gateway and files.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use harmony_tests::control_plane::ControlPlane;
use harmony_tests::fault_proxy::FaultProxy;
use harmony_tests::site::on_ports;
use harmony_tests::{Gateway, RUNBEAM_CONFIG, Workdir, faulty_binary, free_port};

use crate::change::{Change, document};
use crate::steady_client::SteadyClient;

/// The number of files that are edited by hand.
pub(crate) const BY_HAND: usize = 3;

/// A control plane, the network in front of it, one gateway and its files.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) cloud: ControlPlane,
    pub(crate) network: FaultProxy,
    pub(crate) dir: Workdir,
    pub(crate) port: u16,
    pub(crate) admin: u16,
    pub(crate) changes: Vec<Change>,
    /// The expected version of each file that is edited by hand.
    pub(crate) by_hand: [usize; BY_HAND],
    pub(crate) gateway: Option<Gateway>,
    token: String,
    steady: SteadyClient,
    pub(crate) problems: Vec<String>,
    log: String,
    pub(crate) kills: usize,
    pub(crate) edits: usize,
}

impl World {
    pub(crate) async fn start(seed: u64) -> Self {
        let _ = tokio::task::spawn_blocking(faulty_binary).await;
        let (cloud, network) = FaultProxy::in_front_of(ControlPlane::builder()).await;
        let (port, admin) = (free_port(), free_port());
        let config = RUNBEAM_CONFIG.replace("API", network.url()).replace("INTERVAL", "1");
        let dir = Workdir::with([
            ("config.toml", on_ports(&config, port, admin)),
            ("pipelines/steady.toml", document("steady", 0)),
        ]);
        for n in 0..BY_HAND {
            dir.write(&hand_file(n), &document(&format!("hand{n}"), 0));
        }
        let token = cloud.authorize("acme", "edge").to_string();
        let steady = SteadyClient::start(format!("http://127.0.0.1:{port}/steady"));
        let mut world = Self {
            rng: Rng::with_seed(seed),
            cloud,
            network,
            dir,
            port,
            admin,
            changes: Vec::new(),
            by_hand: [0; BY_HAND],
            gateway: None,
            token,
            steady,
            problems: Vec::new(),
            log: String::new(),
            kills: 0,
            edits: 0,
        };
        world.start_gateway("").await;
        world
    }

    /// Starts the gateway with failpoints. If one kills it before it is ready, the gateway is started without
    /// failpoints.
    pub(crate) async fn start_gateway(&mut self, points: &str) {
        for points in [points, ""] {
            let fault = self.disk_fault();
            let environment = [
                ("RUNBEAM_MACHINE_TOKEN", self.token.as_str()),
                ("FAILPOINTS", points),
                ("HARMONY_DISK_FAULT", fault.to_str().expect("a path")),
            ];
            let arguments = ["--drain-secs", "2"];
            let mut gateway =
                Gateway::spawn_program(&faulty_binary(), &self.dir.config(), &arguments, &environment);
            while gateway.is_running() && !gateway.log().contains("ready") {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            let up = gateway.is_running();
            if up {
                self.steady.pid.store(gateway.pid(), Ordering::SeqCst);
            }
            self.gateway = Some(gateway);
            if up {
                return;
            }
            self.reap(!points.is_empty()).await;
        }
        self.problems.push("the gateway does not start".to_owned());
    }

    /// Collects an exited process and records a problem if the exit was not expected.
    pub(crate) async fn reap(&mut self, expected: bool) {
        use std::os::unix::process::ExitStatusExt as _;
        let Some(mut gateway) = self.gateway.take() else { return };
        self.steady.pid.store(0, Ordering::SeqCst);
        let status = gateway.wait_for_exit().await;
        self.log = gateway.log();
        if !expected || status.signal().is_none() && !status.success() {
            self.problems.push(format!("the gateway exited with {status}"));
        }
        if self.log.contains("panicked") {
            self.problems.push("the gateway panicked".to_owned());
        }
    }

    /// The file that makes the disk fail while it exists.
    pub(crate) fn disk_fault(&self) -> PathBuf {
        self.dir.path().join("disk-fault")
    }

    /// All problems so far.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        problems.extend(self.steady.problems.lock().unwrap().iter().cloned());
        problems
    }

    pub(crate) fn summary(&self) -> String {
        let answered = self.steady.answered.load(Ordering::SeqCst);
        let (changes, edits, kills) = (self.changes.len(), self.edits, self.kills);
        format!("{changes} changes, {edits} edits by hand, {kills} kills, {answered} requests")
    }

    pub(crate) fn log(&self) -> String {
        let now = self.gateway.as_ref().map(Gateway::log).unwrap_or_default();
        format!("{}\n---\n{now}", self.log)
    }
}

pub(crate) fn hand_file(n: usize) -> String {
    format!("pipelines/hand{n}.toml")
}
