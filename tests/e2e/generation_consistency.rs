//! Two hundred changes under load, of which sixty fail: no request fails, and each is served by one generation alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_tests::control_plane::{ChangeView, ControlPlane, Status};
use harmony_tests::site::on_ports;
use harmony_tests::{
    Gateway, RUNBEAM_CONFIG, Upstream, Workdir, client, faulty_binary, free_port, full, get,
};
use http::Response;
use serde_json::{Value, json};

const CHANGES: usize = 200;

/// Requests come at a fixed rate, whatever becomes of those before.
const EVERY: Duration = Duration::from_millis(10);

/// The path that everybody asks for. How much of it a generation takes off is its mark on the route.
const PATH: &str = "/0/1/2/3/4/5/6/7";

/// The way a change fails, if it does: every tenth three times, each way in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Parse,
    Validate,
    Build,
    Bind,
    Probe,
}

impl Kind {
    fn of(n: usize) -> Self {
        let ways = [Self::Parse, Self::Validate, Self::Build, Self::Bind, Self::Probe];
        match n % 10 {
            2 | 5 | 8 => ways[(n / 10 * 3 + n % 10 / 3) % ways.len()],
            _ => Self::Good,
        }
    }

    /// What a change of this kind says in the `n`th place.
    fn document(self, n: usize, world: &World) -> String {
        let good = marked(n, world);
        let network = |name: &str, port: u16, more: &str| {
            format!("[network.{name}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n{more}")
        };
        let with_another = |another: String| {
            let own = network("public", world.port, "") + &network("management", world.admin, "");
            format!("{good}{own}{another}")
        };
        match self {
            Self::Good | Self::Probe => good,
            Self::Parse => format!("{good}\n[pipelines.mark\n"),
            Self::Validate => good.replace("endpoints = [\"mark\"]", "endpoints = [\"nowhere\"]"),
            Self::Build => {
                let tls = "cert_path = \"no-certificate.pem\"\nkey_path = \"no-certificate.pem\"\n";
                with_another(network("another", free_port(), tls))
            }
            Self::Bind => with_another(network("another", world.taken, "")),
        }
    }
}

struct World {
    port: u16,
    admin: u16,
    /// A port that somebody else has.
    taken: u16,
    upstream: std::net::SocketAddr,
}

/// A configuration with the mark `n` on its route, its mesh and its target.
fn marked(n: usize, world: &World) -> String {
    let (prefix, upstream) = (&PATH[..2 * (n % 7 + 1)], world.upstream);
    format!(
        r#"[pipelines.mark]
networks = ["public"]
endpoints = ["mark"]
backends = ["mark"]

[pipelines.mark.mesh.egress.out]
type = "http"
backend = "mark"

[endpoints.mark]
service = "http"
options.path_prefix = "{prefix}"

[backends.mark]
service = "http"
options.base_url = "http://{upstream}/target-{n}"

[remote_ingress.there]
urls = ["http://{upstream}/target-{n}"]

[mesh.marks]
id = "mesh-{n}"
type = "http"
provider = "local"
auth_type = "jwt"
jwt_secret = "of generation {n:04}, and long enough for it"
ingress = ["there"]
egress = ["out"]
"#
    )
}

/// The one generation whose marks are on a request that arrived.
fn generation(answer: &Value) -> Result<usize, String> {
    let wrong = || format!("marks of different generations: {answer}");
    let path = answer["path"].as_str().ok_or_else(wrong)?;
    let (target, rest) = path.strip_prefix("/target-").and_then(|p| p.split_once('/')).ok_or_else(wrong)?;
    let n: usize = target.parse().map_err(|_| wrong())?;
    let same_route = PATH.get(2 * (n % 7 + 1) + 1..) == Some(rest);
    let same_mesh = answer["mesh"] == format!("mesh-{n}");
    if same_route && same_mesh { Ok(n) } else { Err(wrong()) }
}

/// The mesh that the token of a request is for.
fn mesh_of(authorization: Option<&http::HeaderValue>) -> Option<Value> {
    let token = authorization?.to_str().ok()?.strip_prefix("Bearer ")?;
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).ok()?.claims;
    Some(claims["mesh_id"].clone())
}

async fn upstream() -> Upstream {
    Upstream::with_handler(|seen| async move {
        let mesh = mesh_of(seen.headers.get("authorization")).unwrap_or_default();
        Response::new(full(json!({ "path": seen.uri.path(), "mesh": mesh }).to_string()))
    })
    .await
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<usize, String> {
    let answer = client.get(url).send().await.map_err(|e| format!("{e:?}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|e| format!("{e:?}"))?;
    match status.is_success() {
        true => generation(&serde_json::from_str(&body).map_err(|e| e.to_string())?),
        false => Err(format!("{status}: {body}")),
    }
}

/// Asks at a fixed rate until it is told to stop.
async fn load(url: String, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let (client, wrong) = (client(), Arc::new(Mutex::new(Vec::new())));
    let count = Arc::new(AtomicUsize::new(0));
    let mut asking = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(EVERY);
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let (client, url) = (client.clone(), url.clone());
        let (wrong, count) = (Arc::clone(&wrong), Arc::clone(&count));
        asking.spawn(async move {
            if let Err(what) = ask(&client, &url).await {
                wrong.lock().unwrap().push(what);
            }
            count.fetch_add(1, Ordering::Relaxed);
        });
        while asking.try_join_next().is_some() {}
    }
    while asking.join_next().await.is_some() {}
    let wrong = wrong.lock().unwrap().clone();
    (count.load(Ordering::Relaxed), wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_changes_of_which_sixty_fail_fail_no_request_and_none_sees_two_generations() {
    let (cloud, upstream) = (ControlPlane::start().await, upstream().await);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World {
        port: free_port(),
        admin: free_port(),
        taken: taken.local_addr().unwrap().port(),
        upstream: upstream.address(),
    };
    let token = cloud.authorize("acme", "edge").to_string();
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "0") + &marked(0, &world);
    let dir = Workdir::with([
        ("config.toml", on_ports(&config, world.port, world.admin)),
        ("no-certificate.pem", "this is none".to_owned()),
    ]);
    let fault = dir.path().join("probe-fault");
    let environment =
        [("RUNBEAM_MACHINE_TOKEN", token.as_str()), ("HARMONY_PROBE_FAULT", fault.to_str().unwrap())];
    let mut gateway = Gateway::spawn_program(&faulty_binary(), &dir.config(), &[], &environment);
    gateway.wait_until_ready().await;

    let url = format!("http://127.0.0.1:{}{PATH}", world.port);
    let stop = Arc::new(AtomicBool::new(false));
    let loading = tokio::spawn(load(url.clone(), Arc::clone(&stop)));
    let (mut live, mut failed) = (0, 0);
    for n in 1..=CHANGES {
        let kind = Kind::of(n);
        if kind == Kind::Probe {
            std::fs::write(&fault, "nobody answers").unwrap();
        }
        let change = cloud.change("edge", "gateway", &kind.document(n, &world));
        let synced = client().post(format!("http://127.0.0.1:{}/admin/sync", world.admin)).send().await;
        assert!(synced.unwrap().status().is_success());
        let ChangeView { status, error_message, .. } = cloud.wait_until_settled(&change).await;
        let reason = error_message.unwrap_or_default();
        if kind == Kind::Good {
            assert_eq!(status, Status::Applied, "{n}: {reason}");
            live = n;
        } else {
            let class = format!("{kind:?}").to_lowercase();
            assert!(
                status == Status::Failed && reason.starts_with(&class),
                "{n} {kind:?}: {status:?} {reason}"
            );
            failed += 1;
            let _ = std::fs::remove_file(&fault);
        }
        assert_eq!(ask(&client(), &url).await, Ok(live), "after {n}, {kind:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let (count, wrong) = loading.await.unwrap();
    assert!(wrong.is_empty(), "{} of {count}: {:?}", wrong.len(), &wrong[..1]);
    assert_eq!(failed, 60);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
    let status: Value =
        get(format!("http://127.0.0.1:{}/admin/provider", world.admin)).await.unwrap().json().await.unwrap();
    assert_eq!(status["effective"]["digest"], status["desired"]["digest"], "{status}");
    println!("{CHANGES} changes, {failed} of them rejected; {count} requests, none failed");
}
