//! The application decides: a candidate for which it fails is neither live nor on disk nor saved for a restart.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_host::{
    Activation, Capabilities, Host, HostOptions, Prepared, Problems, Rejection, Snapshot, Verdict,
    async_trait,
};
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::is_live;
use harmony_tests::{Workdir, eventually};
use provider_api::{Registry, RejectionClass, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Environment, RunbeamFactory};

const DEADLINE: Duration = Duration::from_millis(300);

/// The outcome of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ends {
    #[default]
    Well,
    Refused,
    Panics,
    Hangs,
    Blocks,
}

/// An application with a scripted outcome for each step. It records the steps.
#[derive(Clone, Debug, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    prepare: Ends,
    activate: Ends,
    commit: Ends,
    rollback: Ends,
    steps: Vec<(&'static str, u64)>,
    /// The generation that is live, as the application sees it.
    live: u64,
}

impl Scripted {
    fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock().unwrap());
    }

    fn steps(&self) -> Vec<(&'static str, u64)> {
        std::mem::take(&mut self.0.lock().unwrap().steps)
    }

    fn live(&self) -> u64 {
        self.0.lock().unwrap().live
    }

    async fn step(&self, name: &'static str, generation: u64) -> Result<(), Rejection> {
        let ends = {
            let mut script = self.0.lock().unwrap();
            script.steps.push((name, generation));
            match name {
                "prepare" => script.prepare,
                "activate" => script.activate,
                "commit" => script.commit,
                _ => script.rollback,
            }
        };
        match ends {
            Ends::Well => Ok(()),
            Ends::Refused => {
                let mut problems = Problems::default();
                let key = "pipelines.first.networks";
                problems.error(None, key, "the router has no room").help("make some");
                let class = if name == "prepare" { RejectionClass::Build } else { RejectionClass::Activate };
                Err(Rejection::new(class, problems))
            }
            Ends::Panics => panic!("from the application, in {name}"),
            Ends::Hangs => std::future::pending().await,
            Ends::Blocks => {
                #[expect(clippy::disallowed_methods, reason = "the application that is tested does this")]
                std::thread::sleep(DEADLINE * 8);
                Ok(())
            }
        }
    }
}

struct PreparedScript {
    application: Scripted,
    candidate: u64,
    serving: u64,
}

#[async_trait]
impl Activation for Scripted {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_endpoint("echo").with_backend("echo")
    }

    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        self.step("prepare", candidate.generation()).await?;
        Ok(Box::new(PreparedScript {
            application: self.clone(),
            candidate: candidate.generation(),
            serving: serving.map_or(0, |serving| serving.generation()),
        }))
    }
}

#[async_trait]
impl Prepared for PreparedScript {
    async fn activate(&mut self) -> Result<(), Rejection> {
        self.application.set(|script| script.live = self.candidate);
        self.application.step("activate", self.candidate).await
    }

    async fn commit(self: Box<Self>) {
        let _ = self.application.step("commit", self.candidate).await;
    }

    async fn rollback(self: Box<Self>) {
        self.application.set(|script| script.live = self.serving);
        let _ = self.application.step("rollback", self.candidate).await;
    }
}

/// A host that syncs with a control plane and serves through a scripted application.
struct World {
    cloud: ControlPlane,
    dir: Workdir,
    application: Scripted,
    host: Host,
}

fn pipeline(name: &str, path: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
         [endpoints.{name}]\nservice = \"echo\"\noptions.path_prefix = \"{path}\"\n\
         [backends.{name}]\nservice = \"echo\"\n"
    )
}

async fn start(cloud: &ControlPlane, dir: &Workdir, application: Scripted) -> Result<Host, Rejection> {
    let machine_token = Some(Secret::new(cloud.authorize("acme", "edge").to_string()));
    let environment = Environment { machine_token, ..Environment::default() };
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    options.activation_deadline = DEADLINE;
    Host::start(options, application).await
}

async fn following() -> World {
    let cloud = ControlPlane::start().await;
    let dir = Workdir::new();
    let config = format!(
        "[proxy]\nid = \"edge\"\n[provider.runbeam]\napi = \"{}\"\npoll_interval_secs = 1\n\
         [network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = 1\n",
        cloud.url()
    );
    dir.write("config.toml", &config);
    dir.write("pipelines/first.toml", &pipeline("first", "/first"));
    let application = Scripted::default();
    let host = start(&cloud, &dir, application.clone()).await.unwrap();
    assert_eq!(application.steps(), [("prepare", 1), ("activate", 1), ("commit", 1)]);
    World { cloud, dir, application, host }
}

/// The bytes of the files below `directory` that `is_meant` takes, by path. Others may come and go meanwhile.
fn tree(directory: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => open.push(path),
                path if !is_meant(&path.to_string_lossy()) => {}
                path => files.push((path.display().to_string(), std::fs::read(&path).unwrap())),
            }
        }
    }
    files.sort();
    files
}

/// The files of the configuration, and the saved generations.
fn durable(dir: &Workdir) -> Vec<(String, Vec<u8>)> {
    tree(dir.path(), |name| !name.contains("/state/") || name.ends_with(".generation"))
}

async fn saved(world: &World) {
    eventually("the configuration is saved", || async {
        let status = world.host.status();
        let saved = status.last_good.as_ref().is_some_and(|saved| saved.at.is_some());
        if saved { Ok(()) } else { Err("not yet") }
    })
    .await;
}

/// Reloads until a generation is live; the file watcher may be faster. After an application has blocked its thread, the
/// edit is applied as soon as the application returns.
async fn live(world: &World, generation: u64, what: &str) {
    eventually("the edit is live", || async {
        world.host.reload().await;
        let (now, reason) = (world.host.snapshot().generation(), world.host.status().reason());
        if now >= generation { Ok(()) } else { Err(format!("{what}: {now}: {reason:?}")) }
    })
    .await;
}

/// The behaviour of a step, and the message and class of the verdict.
const FAILURES: [(&str, Ends, &str, &str); 8] = [
    (
        "prepare",
        Ends::Refused,
        "build",
        "pipelines/first.toml:2: pipelines.first.networks: the router has no room",
    ),
    ("prepare", Ends::Panics, "activate", "the application panicked in `prepare`"),
    ("prepare", Ends::Hangs, "activate", "did not return from `prepare` within 0.3 s"),
    ("prepare", Ends::Blocks, "activate", "blocks its thread in `prepare`"),
    (
        "activate",
        Ends::Refused,
        "activate",
        "pipelines/first.toml:2: pipelines.first.networks: the router has no room",
    ),
    ("activate", Ends::Panics, "activate", "the application panicked in `activate`"),
    ("activate", Ends::Hangs, "activate", "did not return from `activate` within 0.3 s"),
    ("activate", Ends::Blocks, "activate", "blocks its thread in `activate`"),
];

fn set_behaviour(application: &Scripted, step: &str, ends: Ends) {
    application.set(|script| match step {
        "prepare" => script.prepare = ends,
        _ => script.activate = ends,
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejected_change_leaves_no_trace() {
    for (step, ends, class, message) in FAILURES {
        let world = following().await;
        saved(&world).await;
        let before = durable(&world.dir);
        set_behaviour(&world.application, step, ends);
        let change = world.cloud.put_document("edge", "pipeline", &pipeline("second", "/second"));
        let view = world.cloud.wait_until_settled(&change).await;
        assert_eq!(view.status, Status::Failed, "{step} {ends:?}");
        let reported = format!("{view:?}");
        assert!(reported.contains(message) && reported.contains(class), "{step} {ends:?}: {reported}");
        assert!(durable(&world.dir) == before, "{step} {ends:?}: files differ");
        assert_eq!(world.host.snapshot().generation(), 1);

        set_behaviour(&world.application, step, Ends::Well);
        let next = world.cloud.put_document("edge", "pipeline", &pipeline("third", "/third"));
        assert_eq!(world.cloud.wait_until_settled(&next).await.status, Status::Applied, "{step} {ends:?}");
        assert_eq!(world.host.snapshot().generation(), 2);
        assert_eq!(world.application.live(), 2, "{step} {ends:?}: the late result was not rolled back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejected_edit_stays_in_its_file() {
    for (step, ends, class, message) in FAILURES {
        let world = following().await;
        saved(&world).await;
        set_behaviour(&world.application, step, ends);
        world.dir.write("pipelines/second.toml", &pipeline("second", "/second"));
        let before = durable(&world.dir);
        let Some(Verdict::Rejected(rejection)) = world.host.reload().await else {
            panic!("{step} {ends:?}: the edit is accepted")
        };
        assert_eq!(rejection.class.to_string(), class, "{step} {ends:?}");
        assert!(rejection.to_string().contains(message), "{step} {ends:?}: {rejection}");
        assert!(durable(&world.dir) == before, "the edit and the saved generations are unchanged");
        let status = world.host.status();
        assert!(status.reason().unwrap().contains(message), "{:?}", status.reason());
        assert_eq!(status.effective.as_ref().unwrap().generation, 1);

        set_behaviour(&world.application, step, Ends::Well);
        live(&world, 2, &format!("{step} {ends:?}")).await;
        assert_eq!(world.application.live(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejected_start_serves_the_last_good() {
    for (step, ends, class, message) in FAILURES {
        // A step that blocks its thread also keeps the last good configuration waiting.
        if ends == Ends::Blocks {
            continue;
        }
        let World { cloud, dir, application, host } = {
            let world = following().await;
            saved(&world).await;
            world
        };
        host.shut_down(Duration::from_secs(5)).await;
        drop(host);
        dir.write("pipelines/second.toml", &pipeline("second", "/second"));

        // Rejects every configuration with the second pipeline.
        let picky = Picky { application: application.clone(), step, ends };
        let host = start_picky(&cloud, &dir, picky.clone()).await.expect("the last good one is served");
        assert_eq!(host.snapshot().pipelines().count(), 1);
        let reason = host.status().reason().unwrap();
        assert!(reason.contains(message) && reason.contains(class), "{step} {ends:?}: {reason}");
        host.shut_down(Duration::from_secs(5)).await;
        drop(host);

        // Without a saved generation, the start fails with the problem of the application.
        // A write that was under way when the host ended may still add a file.
        eventually("the state is gone", || async { std::fs::remove_dir_all(dir.path().join("state")) }).await;
        let rejection = start_picky(&cloud, &dir, picky).await.expect_err("nothing can be served");
        assert!(rejection.to_string().contains(message), "{step} {ends:?}: {rejection}");
    }
}

/// An application that fails only for configurations with more than one pipeline.
#[derive(Clone)]
struct Picky {
    application: Scripted,
    step: &'static str,
    ends: Ends,
}

#[async_trait]
impl Activation for Picky {
    fn capabilities(&self) -> Capabilities {
        self.application.capabilities()
    }

    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        let ends = if candidate.pipelines().count() > 1 { self.ends } else { Ends::Well };
        set_behaviour(&self.application, self.step, ends);
        self.application.prepare(candidate, serving).await
    }
}

async fn start_picky(cloud: &ControlPlane, dir: &Workdir, picky: Picky) -> Result<Host, Rejection> {
    let environment = Environment {
        machine_token: Some(Secret::new(cloud.authorize("acme", "edge").to_string())),
        ..Environment::default()
    };
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    options.activation_deadline = DEADLINE;
    Host::start(options, picky).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_prepared_ends_once() {
    let world = following().await;
    world.application.set(|script| script.activate = Ends::Panics);
    world.dir.write("pipelines/second.toml", &pipeline("second", "/second"));
    assert!(matches!(world.host.reload().await, Some(Verdict::Rejected(_))));
    // Once for each attempt: the file watcher may have triggered another one.
    let steps = world.application.steps();
    let attempt = [("prepare", 2), ("activate", 2), ("rollback", 2)];
    assert!(steps.chunks(3).all(|one| one == attempt), "rolled back after a panic, once: {steps:?}");

    world.application.set(|script| (script.activate, script.prepare) = (Ends::Well, Ends::Refused));
    assert!(matches!(world.host.reload().await, Some(Verdict::Rejected(_))));
    let steps = world.application.steps();
    assert!(
        steps.iter().all(|step| *step == ("prepare", 2)),
        "nothing was prepared that could end: {steps:?}"
    );

    for ends in [Ends::Panics, Ends::Hangs] {
        world.application.set(|script| (script.prepare, script.commit) = (Ends::Well, ends));
        world.dir.write("pipelines/second.toml", &pipeline("second", &format!("/{ends:?}")));
        let verdict = world.host.reload().await;
        assert!(is_live(verdict.as_ref()), "a commit cannot fail: {verdict:?}");
        world.application.set(|script| {
            (script.activate, script.rollback) = (Ends::Refused, ends);
        });
        world.dir.write("pipelines/second.toml", &pipeline("second", &format!("/other-{ends:?}")));
        assert!(matches!(world.host.reload().await, Some(Verdict::Rejected(_))), "nor can a rollback");
        world.application.set(|script| *script = Script { live: script.live, ..Script::default() });
    }
    world.dir.write("pipelines/second.toml", &pipeline("second", "/second"));
    let next = world.host.snapshot().generation() + 1;
    live(&world, next, "the loop goes on").await;
}
