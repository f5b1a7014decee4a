//! The target `round`: the answers of a control plane, through a whole round of the sync.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_host::{Capabilities, Host, HostOptions};
use provider_api::{Registry, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Deadlines, Environment, RunbeamFactory};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::backend::{Answer, Backend};
use super::message::Message;
use super::stage::{Activity, runtime};
use crate::disk::files_below;
use crate::site::{echo, on_ports};
use crate::{NullActivation, RUNBEAM_CONFIG, Workdir};

/// The id of the change that is added to the list of the input.
const SIBLING: &str = "01SIBLING000000000000000000";
const GATEWAY: &str = "01GATEWAY000000000000000000";

/// The time in which the sibling needs its verdict. It takes milliseconds, and up to 7 s more if the first reports fail.
const LIMIT: Duration = Duration::from_secs(8);

/// The number of failures of reports in a row whose waits, of up to 1, 2, 4 and so on seconds, end before [`LIMIT`].
const FAILURES: usize = 3;

struct World {
    control_plane: Backend,
    runtime: Runtime,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::start());
}

impl World {
    fn start() -> Self {
        let runtime = runtime();
        let control_plane = runtime.block_on(Backend::start(&Activity::default()));
        Self { control_plane, runtime }
    }
}

/// Answers the requests of one round with the parts of `bytes`. A part is a line with the name of a call, and the body of
/// its response; NUL separates parts. A part that begins with `HTTP/` is a whole response. No answer makes anything panic
/// or write a file outside of the directory of its kind. A valid change that is added to the list gets its verdict,
/// whatever the other changes are.
///
/// # Panics
/// Panics if that does not hold.
pub fn round(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    WORLD.with_borrow_mut(|world| {
        let (parts, judged) = (Arc::new(Parts::of(text)), Arc::new(Mutex::new(false)));
        let (answers, verdict) = (Arc::clone(&parts), Arc::clone(&judged));
        world.control_plane.script(move |request| answers.answer(request, &verdict));
        let dir = Workdir::new();
        world.runtime.block_on(run(&dir, &world.control_plane, &parts, &judged));
        check_files(dir.path(), &parts.kinds);
    });
}

async fn run(dir: &Workdir, control_plane: &Backend, parts: &Parts, judged: &Mutex<bool>) {
    let url = format!("http://{}", control_plane.address);
    let config = RUNBEAM_CONFIG.replace("API", &url).replace("INTERVAL", "0");
    dir.write("site/config.toml", &on_ports(&config, 8080, 9090));
    let token = json!({
        "machine_token": "1|fuzzing", "expires_at": "2099-01-01T00:00:00Z", "gateway_id": GATEWAY,
        "gateway_code": "edge", "abilities": ["harmony:update"],
    });
    let environment =
        Environment { machine_token: Some(Secret::new(token.to_string())), ..Environment::default() };
    let limit = Duration::from_secs(4);
    let deadlines = Deadlines { connect: limit, read: limit, total: limit, ..Deadlines::default() };
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment).with_deadlines(deadlines));
    let mut options = HostOptions::new(dir.path().join("site/config.toml"), registry);
    options.state_dir = dir.path().join("state");
    let served = Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo");
    let host = Host::start(options, NullActivation(served)).await.expect("the configuration is valid");
    let report = host.sync().await;
    if parts.with_sibling {
        let waiting = async {
            while !*judged.lock().expect("no panic") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let judged = tokio::time::timeout(LIMIT, waiting).await.is_ok();
        assert!(judged, "the valid change has no verdict: {report:?}; {:?}", host.status().sync);
    }
    host.shut_down(LIMIT).await;
    drop(host);
    control_plane.finish().await;
}

/// The answers of the control plane.
#[derive(Debug)]
struct Parts {
    answers: Mutex<Vec<(String, VecDeque<String>)>>,
    /// Set if the input has a list to which a valid change was added.
    with_sibling: bool,
    /// The kinds of the changes.
    kinds: BTreeSet<String>,
}

impl Parts {
    fn of(text: &str) -> Self {
        let mut answers: Vec<(String, VecDeque<String>)> = Vec::new();
        let (mut with_sibling, mut kinds) = (false, BTreeSet::from(["pipeline".to_owned()]));
        let (mut switched, mut failures) = (text.contains("SIBLING"), 0);
        for part in text.split('\0') {
            let (call, body) = part.split_once('\n').unwrap_or((part, ""));
            let mut body = body.to_owned();
            // After a failure of the control plane itself, the rest of the round waits for the next one.
            switched |= body.starts_with("HTTP/");
            let json: Option<Value> = serde_json::from_str(&body).ok();
            let first = !answers.iter().any(|(name, _)| name == call);
            let is_report = ["acknowledge", "applied", "failed"].contains(&call);
            failures += usize::from(is_report && !json.as_ref().is_some_and(Value::is_object));
            switched |= failures > FAILURES;
            if call == "changes" && first {
                if let Some(mut list) = json.clone().filter(|list| list["data"].is_array()) {
                    let next = &list["links"]["next"];
                    with_sibling = next.is_null();
                    let sibling = json!({
                        "id": SIBLING, "type": "pipeline", "status": "pending", "gateway_id": GATEWAY,
                        "created_at": "2098-01-01T00:00:00Z",
                    });
                    if let Some(all) = list["data"].as_array_mut() {
                        all.insert(0, sibling);
                    }
                    body = list.to_string();
                }
            } else if call == "change" {
                let kind = json.as_ref().and_then(|change| change["data"]["type"].as_str());
                kinds.extend(kind.map(str::to_owned));
                // A change of config.toml may choose another provider, and the sync ends.
                switched |= kind == Some("gateway");
            } else if call == "base-url" {
                // It may name another path, at which the same control plane answers, or be nothing that can be read.
                switched = true;
            }
            match answers.iter_mut().find(|(name, _)| name == call) {
                Some((_, queue)) => queue.push_back(body),
                None => answers.push((call.to_owned(), VecDeque::from([body]))),
            }
        }
        Self { answers: Mutex::new(answers), with_sibling: with_sibling && !switched, kinds }
    }

    fn next(&self, call: &str) -> Option<String> {
        let mut answers = self.answers.lock().expect("no panic");
        answers.iter_mut().find(|(name, _)| name == call)?.1.pop_front()
    }

    /// Answers one request; sets `judged` for the verdict of the sibling.
    fn answer(&self, request: &Message, judged: &Mutex<bool>) -> Answer {
        let target = String::from_utf8_lossy(request.words()[1]).into_owned();
        let path: Vec<&str> =
            target.split('?').next().unwrap_or_default().trim_matches('/').split('/').collect();
        let mine = target.contains(SIBLING) || String::from_utf8_lossy(&request.body).contains(SIBLING);
        let call = match path[..] {
            [.., "base-url"] => "base-url",
            [.., "harmony", "changes", "acknowledge"] => "acknowledge",
            [.., "harmony", "changes"] | [.., "harmony", "changes", _] => "changes",
            [.., "harmony", "change", _, verdict @ ("applied" | "failed")] => verdict,
            [.., "harmony", "change", _] => "change",
            [.., "transforms", _] => "transform",
            _ => "other",
        };
        let next = if mine && call != "changes" { None } else { self.next(call) };
        match (next, call) {
            (Some(raw), _) if raw.starts_with("HTTP/") => Answer { bytes: raw.into_bytes(), close: true },
            (Some(body), _) => response(200, &body),
            (None, "change") if mine => {
                let document = echo("sibling", "/sibling");
                let change = json!({ "id": SIBLING, "type": "pipeline", "gateway_id": GATEWAY, "toml_config": document });
                response(200, &json!({ "data": change }).to_string())
            }
            (None, "applied" | "failed") => {
                *judged.lock().expect("no panic") |= mine;
                response(200, r#"{"success":true}"#)
            }
            (None, "acknowledge") => response(200, r#"{"acknowledged":[],"failed":[]}"#),
            (None, "changes") => response(200, r#"{"data":[]}"#),
            (None, _) => response(404, r#"{"error":"not_found","message":"there is none"}"#),
        }
    }
}

fn response(status: u16, body: &str) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} Answered\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Answer { bytes: (head + body).into_bytes(), close: false }
}

/// Checks that only the files of these kinds of changes, config.toml and the state exist.
fn check_files(root: &Path, kinds: &BTreeSet<String>) {
    for file in files_below(root) {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        let parts: Vec<&str> = name.split('/').collect();
        let of = |kind: &str| kinds.contains(kind);
        let allowed = match parts[..] {
            ["state", ..] | ["site", "config.toml"] => true,
            ["site", "pipelines", _] => true,
            ["site", "mesh", _] => of("mesh"),
            // Pipelines bring their transforms.
            ["site", "transforms", _] => true,
            _ => false,
        };
        assert!(allowed, "the file {name} was written, by changes of the kinds {kinds:?}");
    }
}
