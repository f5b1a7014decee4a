//! A provider whose source waits for changes for ten minutes: an edit of its settings, `sync` and the stop do not wait for
//! it, and what the former store sends is neither applied nor reported to the new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::site::echo;
use harmony_tests::{Workdir, eventually, free_port};
use provider_api::{
    BuildContext, Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind,
    Enrollment, Error, InvalidSettings, MeshAuth, Pending, Provider, ProviderFactory, ProviderName,
    Publisher, Resolver, Result, Retention, SettingsProfile, async_trait,
};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Less than the source waits, and far more than anything else takes.
const GENEROUS: Duration = Duration::from_secs(60);

/// A control plane in memory.
#[derive(Debug, Default)]
struct Store {
    changes: Mutex<BTreeMap<String, String>>,
    reports: Mutex<Vec<(String, ChangeStatus)>>,
    /// The questions that wait for a change now, and those asked so far.
    questions: Mutex<(usize, usize)>,
    arrived: Notify,
}

impl Store {
    fn issue(&self, id: &str, pipeline: &str) {
        let document = echo(pipeline, &format!("/{pipeline}"));
        self.changes.lock().unwrap().insert(id.to_owned(), document);
        self.arrived.notify_waiters();
    }

    fn waiting(&self) -> usize {
        self.questions.lock().unwrap().0
    }

    fn reports(&self) -> Vec<(String, ChangeStatus)> {
        self.reports.lock().unwrap().clone()
    }

    async fn until_waiting(&self) {
        eventually("the source is asked", || async { (self.waiting() == 1).then_some(()).ok_or(()) }).await;
    }
}

/// Counts a question until it ends.
struct Waiting<'s>(&'s Store);

impl<'s> Waiting<'s> {
    fn on(store: &'s Store) -> Self {
        let mut questions = store.questions.lock().unwrap();
        *questions = (questions.0 + 1, questions.1 + 1);
        Self(store)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.questions.lock().unwrap().0 -= 1;
    }
}

/// A factory of clients of two control planes, by the setting `api`.
#[derive(Debug, Clone, Default)]
struct Clouds {
    one: Arc<Store>,
    two: Arc<Store>,
}

#[derive(Debug)]
struct Client {
    name: ProviderName,
    store: Arc<Store>,
}

#[derive(Deserialize)]
struct Settings {
    api: String,
}

impl ProviderFactory for Clouds {
    const TYPE: &'static str = "queue";
    type Settings = Settings;

    fn build(&self, context: BuildContext, settings: Settings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        let store = Arc::clone(if settings.api == "one" { &self.one } else { &self.two });
        Ok(Arc::new(Client { name: context.name, store }))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
    }
}

impl Provider for Client {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn source(&self) -> Option<&dyn ConfigSource> {
        Some(self)
    }
    fn resolver(&self) -> Option<&dyn Resolver> {
        None
    }
    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        None
    }
    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
    fn retention(&self) -> Option<&dyn Retention> {
        Some(self)
    }
}

impl Retention for Client {
    fn save(&self) -> Option<String> {
        None
    }
    fn restore(&self, _: &str) {}
}

#[async_trait]
impl ConfigSource for Client {
    async fn pending(&self) -> Result<Pending> {
        let _waiting = Waiting::on(&self.store);
        let answer = async {
            loop {
                let arrived = self.store.arrived.notified();
                let heads: Vec<ChangeHead> = self
                    .store
                    .changes
                    .lock()
                    .unwrap()
                    .keys()
                    .map(|id| ChangeHead {
                        id: ChangeId::new(id.as_str()).unwrap(),
                        kind: DocumentKind::Pipeline,
                        created_at: None,
                    })
                    .collect();
                if !heads.is_empty() {
                    return heads;
                }
                arrived.await;
            }
        };
        Ok(Pending::Changes(timeout(Duration::from_secs(600), answer).await.unwrap_or_default()))
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let document = self.store.changes.lock().unwrap().get(id.as_str()).cloned();
        let document = document.ok_or_else(|| Error::not_found("no such change"))?;
        Ok(Change { id: id.clone(), kind: DocumentKind::Pipeline, document, attachments: Vec::new() })
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        self.store.changes.lock().unwrap().remove(id.as_str());
        self.store.reports.lock().unwrap().push((id.to_string(), status.clone()));
        Ok(())
    }

    fn cadence(&self) -> Cadence {
        Cadence::Waits
    }
}

struct World {
    clouds: Clouds,
    dir: Workdir,
    port: u16,
    admin: u16,
    host: RunningGateway,
}

impl World {
    async fn start() -> Self {
        let (port, admin) = (free_port(), free_port());
        let config = format!(
            "[proxy]\nid = \"edge\"\nprimary_provider = \"queue\"\n\n[provider.queue]\napi = \"one\"\n\n\
             [network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n\
             [network.management.http]\nbind_address = \"127.0.0.1\"\nbind_port = {admin}\n\
             [management]\nenabled = true\nnetwork = \"management\"\n"
        );
        let (clouds, dir) = (Clouds::default(), Workdir::with([("config.toml", config)]));
        let mut registry = harmony_host::registry();
        registry.register(clouds.clone());
        let mut options = HostOptions::new(dir.config(), registry);
        options.state_dir = dir.path().join("state");
        let host = RunningGateway::start(options).await.expect("it starts");
        Self { clouds, dir, port, admin, host }
    }

    async fn status_of(&self, path: &str) -> StatusCode {
        harmony_tests::get(format!("http://127.0.0.1:{}{path}", self.port)).await.expect("an answer").status()
    }
}

/// Returns the verdicts without the acknowledgements.
fn verdicts(store: &Store) -> Vec<(String, ChangeStatus)> {
    store.reports().into_iter().filter(|(_, status)| *status != ChangeStatus::Received).collect()
}

#[tokio::test]
async fn edited_api_leaves_the_waiting_source() {
    let world = World::start().await;
    let (one, two) = (Arc::clone(&world.clouds.one), Arc::clone(&world.clouds.two));
    one.until_waiting().await;
    world.dir.edit("config.toml", "api = \"one\"", "api = \"two\"");
    two.until_waiting().await;
    assert_eq!((one.waiting(), one.questions.lock().unwrap().1), (0, 1), "the former question ended");
    one.issue("01A", "former");
    two.issue("01B", "current");
    eventually("the change of the new store is applied", || async {
        let told = verdicts(&two);
        if told == [("01B".to_owned(), ChangeStatus::Applied)] { Ok(()) } else { Err(told) }
    })
    .await;
    assert_eq!(world.status_of("/current").await, StatusCode::OK);
    assert_eq!(world.status_of("/former").await, StatusCode::NOT_FOUND);
    assert!(one.reports().is_empty(), "{:?}", one.reports());
    assert_eq!(one.questions.lock().unwrap().1, 1, "it was not asked again");
}

/// The answer is on its way when the edit is made.
#[tokio::test]
async fn change_that_arrives_with_the_edit_is_not_applied() {
    let world = World::start().await;
    let (one, two) = (Arc::clone(&world.clouds.one), Arc::clone(&world.clouds.two));
    one.until_waiting().await;
    world.dir.edit("config.toml", "api = \"one\"", "api = \"two\"");
    one.issue("01A", "former");
    two.until_waiting().await;
    two.issue("01A", "current");
    eventually("the change of the new store is applied", || async {
        let told = verdicts(&two);
        if told == [("01A".to_owned(), ChangeStatus::Applied)] { Ok(()) } else { Err(told) }
    })
    .await;
    assert_eq!(world.status_of("/current").await, StatusCode::OK);
    assert_eq!(world.status_of("/former").await, StatusCode::NOT_FOUND);
    assert!(verdicts(&one).is_empty(), "{:?}", one.reports());
}

#[tokio::test]
async fn sync_and_stop_do_not_wait_for_the_source() {
    let world = World::start().await;
    world.clouds.one.until_waiting().await;
    let report = timeout(GENEROUS, world.host.sync()).await.expect("sync returns").expect("a report");
    assert!(report.error.is_none(), "{report:?}");
    world.clouds.one.issue("01A", "first");
    eventually("the change is applied", || async {
        let told = verdicts(&world.clouds.one);
        if told.is_empty() { Err(told) } else { Ok(()) }
    })
    .await;
    assert_eq!(world.status_of("/first").await, StatusCode::OK);
    world.clouds.one.until_waiting().await;
    timeout(GENEROUS, world.host.shut_down(GENEROUS)).await.expect("it stops");
}

#[tokio::test]
async fn status_has_cadence_and_abilities_as_they_are() {
    let world = World::start().await;
    world.clouds.one.until_waiting().await;
    let url = format!("http://127.0.0.1:{}/admin/provider", world.admin);
    let status: Value = harmony_tests::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(status["provider"]["polling"], "waiting");
    assert_eq!(status["sync"]["cadence"], "waiting");
    assert_eq!(status["provider"]["abilities"], json!(["sync", "retention"]));
}
