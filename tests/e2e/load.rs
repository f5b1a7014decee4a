//! Reloads under load: two nodes of a mesh, and no request fails.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use harmony_tests::{Gateway, Upstream, Workdir, eventually, free_port};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mesh");

/// The number of concurrent clients.
const CLIENTS: usize = 8;

struct Node {
    dir: Workdir,
    admin: u16,
    _gateway: Gateway,
}

impl Node {
    async fn start(example: &str, substitute: impl Fn(String) -> String) -> Self {
        let admin = free_port();
        let dir = Workdir::copy_of(Path::new(&format!("{EXAMPLES}/{example}")), |text| {
            substitute(text.replace("bind_port = 9090", &format!("bind_port = {admin}")))
        });
        let gateway = Gateway::start(&dir.config()).await;
        Self { dir, admin, _gateway: gateway }
    }

    async fn generation(&self) -> u64 {
        let answer = Gateway::management(self.admin, "provider").await;
        answer["effective"]["generation"].as_u64().expect("a generation")
    }

    /// Edits a file and waits until the edit is live.
    async fn edit(&self, file: &str, from: &str, to: &str) {
        let before = self.generation().await;
        self.dir.edit(file, from, to);
        eventually(&format!("{file} with {to:?} is live"), || async {
            let answer = Gateway::management(self.admin, "provider").await;
            let live = answer["effective"]["generation"].as_u64() > Some(before) && answer["in_sync"] == true;
            if live { Ok(()) } else { Err(answer["reason"].to_string()) }
        })
        .await;
    }
}

/// Sends requests until `stop` is set, and returns the failures.
pub(super) async fn load(url: String, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Vec<String> {
    let client = harmony_tests::client();
    let mut failures = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match client.get(&url).send().await {
            Ok(answer) if answer.status() == 200 => match answer.text().await {
                Ok(text) if text == "from the upstream" => {}
                other => failures.push(format!("{other:?}")),
            },
            Ok(answer) => failures.push(format!("{}: {:?}", answer.status(), answer.text().await)),
            Err(error) => failures.push(format!("{error:?}")),
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_reloads_fail_no_request() {
    let upstream = Upstream::with_body("from the upstream").await;
    // Node A listens on two networks, so that the load can move away from the one whose port changes.
    let mut ports = [free_port(), free_port()];
    let front = free_port();
    let second = format!("[network.second.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\n", ports[1]);
    let a = Node::start("node-a", |text| {
        text.replace("backend.mesh.local:5000", &upstream.address().to_string())
            .replace("[management]", &format!("{second}\n[management]"))
            .replace("networks = [\"default\"]", "networks = [\"default\", \"second\"]")
            .replace("bind_port = 8080", &format!("bind_port = {}", ports[0]))
            .replace("node-a.mesh.local:8080", "127.0.0.1:1")
            .replace("description = ", "id = \"0\"\ndescription = ")
            .replace("auth_type = \"jwt\"", "auth_type = \"jwt\"\ndescription = \"0\"")
    })
    .await;
    let b = Node::start("node-b", |text| {
        text.replace("bind_port = 8080", &format!("bind_port = {front}"))
            .replace("node-a.mesh.local:8080", &format!("127.0.0.1:{}", ports[0]))
            .replace("description = ", "id = \"0\"\ndescription = ")
            .replace("auth_type = \"jwt\"", "auth_type = \"jwt\"\ndescription = \"0\"")
    })
    .await;

    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("http://127.0.0.1:{front}/api/x");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(load(url.clone(), Arc::clone(&stop), Arc::clone(&count))))
        .collect();

    let mut reloads = 0;
    for round in 0..10 {
        let (old, new) = (format!("\"{round}\""), format!("\"{}\"", round + 1));
        let id = |n: &str| format!("id = {n}\n");
        let about = |n: &str| format!("description = {n}");
        for node in [&a, &b] {
            node.edit("pipelines/api.toml", &id(&old), &id(&new)).await;
            node.edit("config.toml", &about(&old), &about(&new)).await;
        }
        reloads += 4;
        if round % 2 == 0 {
            // The idle network gets a new port, and then the load.
            let (carrying, idle) = if round % 4 == 0 { (0, 1) } else { (1, 0) };
            let fresh = free_port();
            let port = |port: u16| format!("bind_port = {port}");
            a.edit("config.toml", &port(ports[idle]), &port(fresh)).await;
            ports[idle] = fresh;
            // Two files cannot change atomically, so the mesh has both URLs while the backend moves.
            let (from, to) =
                (format!("http://127.0.0.1:{}", ports[carrying]), format!("http://127.0.0.1:{fresh}"));
            let (quoted, both) = (format!("\"{from}\""), format!("\"{from}\", \"{to}\""));
            b.edit("config.toml", &quoted, &both).await;
            b.edit("pipelines/api.toml", &from, &to).await;
            b.edit("config.toml", &both, &format!("\"{to}\"")).await;
            reloads += 4;
        }
        let so_far = count.load(Ordering::Relaxed);
        eventually("requests continue", || async {
            let now = count.load(Ordering::Relaxed);
            if now > so_far + CLIENTS { Ok(()) } else { Err(now) }
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.unwrap());
    }
    assert!(
        failures.is_empty(),
        "{} of {} failed: {:?}",
        failures.len(),
        count.load(Ordering::Relaxed),
        &failures[..1]
    );
    assert!(reloads >= 50, "{reloads} reloads");
    println!("{} requests, {reloads} reloads, no failure", count.load(Ordering::Relaxed));
}
