//! 200 changes under load, of which 60 fail: no request fails, and each request is served by one generation only.

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

/// The interval between requests: a fixed rate, regardless of earlier requests.
const EVERY: Duration = Duration::from_millis(10);

/// The path of all requests. The length of the prefix that a generation removes identifies its route.
const PATH: &str = "/0/1/2/3/4/5/6/7";

/// The kind of a change: valid, or the step in which it fails. 3 of 10 changes fail, each kind in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Valid,
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
            _ => Self::Valid,
        }
    }

    /// The document of change `n`.
    fn document(self, n: usize, world: &World) -> String {
        let valid = config(n, world);
        let network = |name: &str, port: u16, more: &str| {
            format!("[network.{name}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n{more}")
        };
        let with_another = |another: String| {
            let own = network("public", world.port, "") + &network("management", world.admin, "");
            format!("{valid}{own}{another}")
        };
        match self {
            Self::Valid | Self::Probe => valid,
            Self::Parse => format!("{valid}\n[pipelines.mark\n"),
            Self::Validate => valid.replace("endpoints = [\"mark\"]", "endpoints = [\"nowhere\"]"),
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
    /// A port in use by another socket.
    taken: u16,
    upstream: std::net::SocketAddr,
}

/// The configuration of generation `n`, which shows in its route, its mesh and its target.
fn config(n: usize, world: &World) -> String {
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

/// Returns the generation of a request as the upstream received it. Fails if route, mesh and target differ.
fn generation(answer: &Value) -> Result<usize, String> {
    let mismatch = || format!("different generations: {answer}");
    let path = answer["path"].as_str().ok_or_else(mismatch)?;
    let (target, rest) =
        path.strip_prefix("/target-").and_then(|p| p.split_once('/')).ok_or_else(mismatch)?;
    let n: usize = target.parse().map_err(|_| mismatch())?;
    let same_route = PATH.get(2 * (n % 7 + 1) + 1..) == Some(rest);
    let same_mesh = answer["mesh"] == format!("mesh-{n}");
    if same_route && same_mesh { Ok(n) } else { Err(mismatch()) }
}

/// Returns the mesh in the token of a request.
fn mesh_of(authorization: Option<&http::HeaderValue>) -> Option<Value> {
    let token = authorization?.to_str().ok()?.strip_prefix("Bearer ")?;
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).ok()?.claims;
    Some(claims["mesh_id"].clone())
}

async fn upstream() -> Upstream {
    Upstream::with_handler(|request| async move {
        let mesh = mesh_of(request.headers.get("authorization")).unwrap_or_default();
        Response::new(full(json!({ "path": request.uri.path(), "mesh": mesh }).to_string()))
    })
    .await
}

async fn request(client: &reqwest::Client, url: &str) -> Result<usize, String> {
    let answer = client.get(url).send().await.map_err(|e| format!("{e:?}"))?;
    let status = answer.status();
    let body = answer.text().await.map_err(|e| format!("{e:?}"))?;
    match status.is_success() {
        true => generation(&serde_json::from_str(&body).map_err(|e| e.to_string())?),
        false => Err(format!("{status}: {body}")),
    }
}

/// Sends requests at a fixed rate until `stop` is set. Returns the number of requests and the failures.
async fn load(url: String, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let (client, failures) = (client(), Arc::new(Mutex::new(Vec::new())));
    let count = Arc::new(AtomicUsize::new(0));
    let mut requests = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(EVERY);
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let (client, url) = (client.clone(), url.clone());
        let (failures, count) = (Arc::clone(&failures), Arc::clone(&count));
        requests.spawn(async move {
            if let Err(failure) = request(&client, &url).await {
                failures.lock().unwrap().push(failure);
            }
            count.fetch_add(1, Ordering::Relaxed);
        });
        while requests.try_join_next().is_some() {}
    }
    while requests.join_next().await.is_some() {}
    let failures = failures.lock().unwrap().clone();
    (count.load(Ordering::Relaxed), failures)
}

/// 200 changes, of which 60 fail, cause no failed request, and no request sees two generations.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_see_one_generation_each() {
    let (cloud, upstream) = (ControlPlane::start().await, upstream().await);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World {
        port: free_port(),
        admin: free_port(),
        taken: taken.local_addr().unwrap().port(),
        upstream: upstream.address(),
    };
    let token = cloud.authorize("acme", "edge").to_string();
    let config =
        RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "0") + &self::config(0, &world);
    let dir = Workdir::with([
        ("config.toml", on_ports(&config, world.port, world.admin)),
        ("no-certificate.pem", "not a certificate".to_owned()),
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
            std::fs::write(&fault, "injected probe failure").unwrap();
        }
        let change = cloud.change("edge", "gateway", &kind.document(n, &world));
        let synced = client().post(format!("http://127.0.0.1:{}/admin/sync", world.admin)).send().await;
        assert!(synced.unwrap().status().is_success());
        let ChangeView { status, error_message, .. } = cloud.wait_until_settled(&change).await;
        let reason = error_message.unwrap_or_default();
        if kind == Kind::Valid {
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
        assert_eq!(request(&client(), &url).await, Ok(live), "after {n}, {kind:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let (count, failures) = loading.await.unwrap();
    assert!(failures.is_empty(), "{} of {count} failed: {:?}", failures.len(), &failures[..1]);
    assert_eq!(failed, 60);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
    let status: Value =
        get(format!("http://127.0.0.1:{}/admin/provider", world.admin)).await.unwrap().json().await.unwrap();
    assert_eq!(status["effective"]["digest"], status["desired"]["digest"], "{status}");
    println!("{CHANGES} changes, {failed} of them rejected; {count} requests, none failed");
}
