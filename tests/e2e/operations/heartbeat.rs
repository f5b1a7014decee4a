//! The heartbeat of the task that applies configurations: it stops while that task is stuck.

use std::sync::Arc;
use std::time::Duration;

use harmony_host::{Activation, Capabilities, Host, HostOptions, Prepared, Rejection, Snapshot, async_trait};
use harmony_tests::{NullActivation, Workdir};
use tokio::sync::{Semaphore, mpsc};

/// An application that prepares a candidate when it gets a permit.
#[derive(Debug)]
struct Gated {
    permits: Arc<Semaphore>,
    entered: mpsc::UnboundedSender<()>,
    inner: NullActivation,
}

#[async_trait]
impl Activation for Gated {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        self.entered.send(()).unwrap();
        self.permits.acquire().await.unwrap().forget();
        self.inner.prepare(candidate, serving).await
    }
}

#[tokio::test]
async fn stuck_step_stops_the_heartbeat() {
    let config = "[proxy]\nid = \"embedded\"\nprimary_provider = \"local\"\n";
    let dir = Workdir::with([("config.toml", config.to_owned())]);
    let mut options = HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    options.activation_deadline = Duration::from_secs(600);
    let (entered, mut entries) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(1));
    let gated = Gated { permits: Arc::clone(&permits), entered, inner: NullActivation::default() };
    let host = Host::start(options, gated).await.unwrap();
    entries.recv().await.unwrap();
    host.heartbeat().await;

    dir.replace("config.toml", &config.replace("embedded", "edited"));
    let reloading = tokio::spawn({
        let host = host.clone();
        async move { host.reload().await }
    });
    entries.recv().await.unwrap();
    let mut heartbeat = std::pin::pin!(host.heartbeat());
    // Every task of this runtime that can go on does so meanwhile.
    for _ in 0..1000 {
        tokio::select! {
            biased;
            () = &mut heartbeat => panic!("the task is stuck in a step"),
            () = tokio::task::yield_now() => {}
        }
    }
    permits.add_permits(10);
    heartbeat.await;
    reloading.await.unwrap();
    host.heartbeat().await;
}
