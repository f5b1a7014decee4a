use std::path::PathBuf;
use std::sync::atomic::Ordering;

use fastrand::Rng;
use harmony_tests::control_plane::ControlPlane;
use harmony_tests::fault_proxy::FaultProxy;
use harmony_tests::site::on_ports;
use harmony_tests::{EDGE, Gateway, Workdir, faulty_binary, free_port};

use crate::change::{Change, document};
use crate::steady::Steady;

/// How many files are edited by hand.
pub(crate) const BY_HAND: usize = 3;

/// Everything there is: the control plane, the network before it, one gateway and its files.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) cloud: ControlPlane,
    pub(crate) network: FaultProxy,
    pub(crate) dir: Workdir,
    pub(crate) port: u16,
    pub(crate) admin: u16,
    pub(crate) changes: Vec<Change>,
    /// The version of each file that is edited by hand.
    pub(crate) by_hand: [usize; BY_HAND],
    pub(crate) gateway: Option<Gateway>,
    token: String,
    steady: Steady,
    pub(crate) wrong: Vec<String>,
    log: String,
    pub(crate) kills: usize,
    pub(crate) edits: usize,
}

impl World {
    pub(crate) async fn begin(seed: u64) -> Self {
        let _ = tokio::task::spawn_blocking(faulty_binary).await;
        let (cloud, network) = FaultProxy::before(ControlPlane::builder()).await;
        let (port, admin) = (free_port(), free_port());
        let config = EDGE.replace("API", network.url()).replace("INTERVAL", "1");
        let dir = Workdir::with([
            ("config.toml", on_ports(&config, port, admin)),
            ("pipelines/steady.toml", document("steady", 0)),
        ]);
        for n in 0..BY_HAND {
            dir.write(&hand_file(n), &document(&format!("hand{n}"), 0));
        }
        let token = cloud.authorized("acme", "edge").to_string();
        let steady = Steady::begin(format!("http://127.0.0.1:{port}/steady"));
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
            wrong: Vec::new(),
            log: String::new(),
            kills: 0,
            edits: 0,
        };
        world.start("").await;
        world
    }

    /// Starts the gateway, to be ended at `points`. One that is ended on its way up is started again, not to be.
    pub(crate) async fn start(&mut self, points: &str) {
        for points in [points, ""] {
            let fault = self.disk_fault();
            let environment = [
                ("RUNBEAM_MACHINE_TOKEN", self.token.as_str()),
                ("FAILPOINTS", points),
                ("HARMONY_DISK_FAULT", fault.to_str().expect("a path")),
            ];
            let arguments = ["--drain-secs", "2"];
            let mut gateway =
                Gateway::spawn_as(&faulty_binary(), &self.dir.config(), &arguments, &environment);
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
            self.buried(!points.is_empty()).await;
        }
        self.wrong.push("the gateway does not start".to_owned());
    }

    /// Takes note of a process that has ended, which it may have done only when it was to be.
    pub(crate) async fn buried(&mut self, expected: bool) {
        use std::os::unix::process::ExitStatusExt as _;
        let Some(mut gateway) = self.gateway.take() else { return };
        self.steady.pid.store(0, Ordering::SeqCst);
        let status = gateway.ended().await;
        self.log = gateway.log();
        if !expected || status.signal().is_none() && !status.success() {
            self.wrong.push(format!("the gateway ended: {status}"));
        }
        if self.log.contains("panicked") {
            self.wrong.push("something panicked".to_owned());
        }
    }

    /// The file that makes the disk refuse while it is there.
    pub(crate) fn disk_fault(&self) -> PathBuf {
        self.dir.path().join("disk-fault")
    }

    /// Everything that was wrong so far.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        wrong.extend(self.steady.wrong.lock().unwrap().iter().cloned());
        wrong
    }

    pub(crate) fn counted(&self) -> String {
        let answered = self.steady.answered.load(Ordering::SeqCst);
        let (changes, edits, kills) = (self.changes.len(), self.edits, self.kills);
        format!("{changes} changes, {edits} edits by hand, {kills} kills, {answered} requests answered")
    }

    pub(crate) fn log(&self) -> String {
        let now = self.gateway.as_ref().map(Gateway::log).unwrap_or_default();
        format!("{}\n---\n{now}", self.log)
    }
}

pub(crate) fn hand_file(n: usize) -> String {
    format!("pipelines/hand{n}.toml")
}
