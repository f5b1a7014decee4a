//! Reloads: valid edits go live; invalid ones are rejected with the reason, and the last good configuration stays live.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;

use harmony_host::{HostOptions, RunningGateway, Verdict};
use harmony_tests::{SECRET, Upstream, Workdir, eventually, free_port, full};
use http::Response;
use reqwest::StatusCode;
use tokio::sync::{mpsc, watch};

fn config(port: u16) -> String {
    format!(
        "[proxy]\nid = \"reload\"\nprimary_provider = \"local\"\n\
         [network.default.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n"
    )
}

/// A pipeline called `id` that echoes requests below `/{name}`. The response contains `id`.
fn pipeline(name: &str, id: &str) -> String {
    format!(
        "[pipelines.{id}]\nnetworks = [\"default\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
         [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\
         [backends.{name}]\nservice = \"echo\"\n"
    )
}

async fn start(dir: &Workdir) -> RunningGateway {
    RunningGateway::start(HostOptions::new(dir.config(), harmony_host::registry())).await.expect("it starts")
}

/// Requests `/{name}` and returns the pipeline's name, the status, or `refused` without a listener.
async fn answer(port: u16, name: &str) -> String {
    let answer = match harmony_tests::get(format!("http://127.0.0.1:{port}/{name}")).await {
        Ok(answer) => answer,
        Err(_) => return "refused".to_owned(),
    };
    match answer.status() {
        StatusCode::OK => {
            let body: serde_json::Value = answer.json().await.expect("JSON");
            body["pipeline"].as_str().expect("a name").to_owned()
        }
        other => other.as_u16().to_string(),
    }
}

async fn until(port: u16, name: &str, expected: &str) {
    eventually(&format!("/{name} returns {expected}"), || async {
        let now = answer(port, name).await;
        if now == expected { Ok(()) } else { Err(now) }
    })
    .await;
}

async fn until_in_sync(host: &RunningGateway) {
    eventually("in sync", || async { host.status().reason().map_or(Ok(()), Err) }).await;
}

async fn until_rejected(host: &RunningGateway) -> String {
    eventually("rejected", || async { host.status().reason().ok_or("in sync") }).await
}

#[tokio::test]
async fn every_way_of_editing_is_applied() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "first"))]);
    let _host = start(&dir).await;
    assert_eq!(answer(port, "a").await, "first");

    dir.replace("pipelines/a.toml", &pipeline("a", "renamed_onto"));
    until(port, "a", "renamed_onto").await;
    dir.write("pipelines/a.toml", &pipeline("a", "in_place"));
    until(port, "a", "in_place").await;
    dir.remove("pipelines/a.toml");
    until(port, "a", "404").await;
    dir.write("pipelines/a.toml", &pipeline("a", "made_anew"));
    until(port, "a", "made_anew").await;
    dir.write("pipelines/b.toml", &pipeline("b", "another_file"));
    until(port, "b", "another_file").await;
    assert_eq!(answer(port, "a").await, "made_anew");
}

#[tokio::test]
async fn a_kubernetes_style_mount_swap_is_applied() {
    let port = free_port();
    let dir = Workdir::with([
        ("config.toml", config(port)),
        ("pipelines/..v1/a.toml", pipeline("a", "v1")),
        ("pipelines/..v2/a.toml", pipeline("a", "v2")),
    ]);
    let at = |name: &str| dir.path().join("pipelines").join(name);
    symlink("..v1", at("..data")).unwrap();
    symlink("..data/a.toml", at("a.toml")).unwrap();
    let _host = start(&dir).await;
    assert_eq!(answer(port, "a").await, "v1");
    symlink("..v2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    until(port, "a", "v2").await;
}

/// A removed directory changes nothing that is served, and is watched again when it is back.
#[tokio::test]
async fn a_removed_directory_changes_nothing() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "before"))]);
    let host = start(&dir).await;
    fs::remove_dir_all(dir.path().join("pipelines")).unwrap();
    let reason = until_rejected(&host).await;
    assert!(reason.contains("pipelines") && reason.contains("no such directory"), "{reason}");
    assert_eq!(answer(port, "a").await, "before");
    dir.write("pipelines/a.toml", &pipeline("a", "after"));
    until(port, "a", "after").await;
    until_in_sync(&host).await;
    dir.replace("pipelines/a.toml", &pipeline("a", "later"));
    until(port, "a", "later").await;
}

/// A broken edit is rejected with its line, and the next valid edit is applied.
#[tokio::test]
async fn a_broken_edit_is_rejected_with_its_line() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "good"))]);
    let host = start(&dir).await;
    dir.edit("pipelines/a.toml", "endpoints = [\"a\"]", "endpoints = [\"nobody\"]");
    let reason = until_rejected(&host).await;
    assert!(reason.contains("pipelines/a.toml:3") && reason.contains("nobody"), "{reason}");
    assert_eq!(answer(port, "a").await, "good");
    assert_eq!(host.snapshot().generation(), 1);

    // An edit of another file is not applied while this one is broken.
    dir.write("pipelines/b.toml", &pipeline("b", "other"));
    eventually("the other edit is noticed", || async {
        let verdict = host.reload().await;
        if matches!(verdict, Some(Verdict::Rejected(_))) { Ok(()) } else { Err(format!("{verdict:?}")) }
    })
    .await;
    assert_eq!(answer(port, "b").await, "404");

    dir.replace("pipelines/a.toml", &pipeline("a", "mended"));
    until(port, "a", "mended").await;
    until(port, "b", "other").await;
    until_in_sync(&host).await;
}

#[tokio::test]
async fn reverting_a_broken_edit_clears_the_status() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "good"))]);
    let host = start(&dir).await;
    let good = dir.read("pipelines/a.toml");
    dir.replace("pipelines/a.toml", "this is no toml\n");
    assert!(until_rejected(&host).await.contains("(parse)"));
    dir.replace("pipelines/a.toml", &good);
    until_in_sync(&host).await;
    assert_eq!(host.snapshot().generation(), 1, "nothing was published");
}

#[tokio::test]
async fn a_mesh_edit_is_live() {
    let port = free_port();
    let guarded = pipeline("a", "guarded").replace(
        "[endpoints.a]",
        &format!("[pipelines.guarded.mesh.ingress.in]\ntype = \"http\"\nmode = \"mesh\"\nurls = [\"http://127.0.0.1:{port}/a\"]\n[endpoints.a]"),
    );
    let mesh = format!(
        "[mesh.m]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"{SECRET}\"\ningress = [\"in\"]\n"
    );
    let dir =
        Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", guarded), ("mesh/m.toml", mesh)]);
    let _host = start(&dir).await;
    let token = harmony_tests::Forged::of("m").jwt();
    let ask = || async {
        let request = harmony_tests::client().get(format!("http://127.0.0.1:{port}/a")).bearer_auth(&token);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(ask().await, StatusCode::OK);
    dir.edit("mesh/m.toml", SECRET, "another-secret-of-more-than-32-bytes-length");
    eventually("the old secret is refused", || async {
        let status = ask().await;
        if status == StatusCode::FORBIDDEN { Ok(()) } else { Err(status) }
    })
    .await;
}

/// A new port is bound before the old one closes, and requests in flight finish.
#[tokio::test]
async fn a_port_change_has_no_gap() {
    let (arrived, mut arrivals) = mpsc::channel(1);
    let (release, released) = watch::channel(false);
    let upstream = Upstream::with_handler(move |_| {
        let (arrived, mut released) = (arrived.clone(), released.clone());
        async move {
            arrived.send(()).await.expect("the test receives");
            released.wait_for(|go| *go).await.expect("the test releases");
            Response::new(full("finished"))
        }
    })
    .await;
    let (old, new, other) = (free_port(), free_port(), free_port());
    let forward = pipeline("a", "slow").replace(
        "service = \"echo\"",
        &format!("service = \"http\"\noptions.base_url = \"{}\"", upstream.url()),
    );
    let second = format!("[network.other.http]\nbind_address = \"127.0.0.1\"\nbind_port = {other}\n");
    let dir = Workdir::with([
        ("config.toml", config(old) + &second),
        ("pipelines/a.toml", forward),
        ("pipelines/b.toml", pipeline("b", "quick").replace("\"default\"", "\"default\", \"other\"")),
    ]);
    let host = start(&dir).await;
    let in_flight = tokio::spawn(harmony_tests::get(format!("http://127.0.0.1:{old}/a")));
    arrivals.recv().await.expect("the request arrived");

    dir.edit("config.toml", &format!("bind_port = {old}"), &format!("bind_port = {new}"));
    until(new, "b", "quick").await;
    until(old, "b", "refused").await;
    assert_eq!(answer(other, "b").await, "quick");
    assert_eq!(host.addresses().len(), 2);

    release.send(true).unwrap();
    assert_eq!(in_flight.await.unwrap().unwrap().text().await.unwrap(), "finished");
}

#[tokio::test]
async fn unchanged_listeners_keep_connections() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "one"))]);
    let _host = start(&dir).await;
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut connection, driver) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(driver);
    let ask = || {
        let request = http::Request::get("/a").header("host", "localhost");
        request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap()
    };
    assert_eq!(connection.send_request(ask()).await.unwrap().status(), 200);
    dir.replace("pipelines/b.toml", &pipeline("b", "two"));
    until(port, "b", "two").await;
    connection.ready().await.expect("the connection is still open");
    assert_eq!(connection.send_request(ask()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_address_widens_and_narrows() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "one"))]);
    let host = start(&dir).await;
    for (from, to) in [("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1")] {
        dir.edit("config.toml", from, to);
        eventually("the address changed", || async {
            let addresses = host.addresses();
            if addresses[0].ip().to_string() == to {
                Ok(())
            } else {
                Err((addresses, host.status().reason()))
            }
        })
        .await;
        until(port, "a", "one").await;
    }
}

/// A port in use is rejected in the step `bind`, and bound when it is free.
#[tokio::test]
async fn a_port_in_use_is_bound_once_it_is_free() {
    let (port, wanted) = (free_port(), free_port());
    let taken = TcpListener::bind(("127.0.0.1", wanted)).unwrap();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "one"))]);
    let host = start(&dir).await;
    dir.edit("config.toml", &format!("bind_port = {port}"), &format!("bind_port = {wanted}"));
    let reason = until_rejected(&host).await;
    assert!(reason.contains("(bind)") && reason.contains("config.toml:6"), "{reason}");
    assert_eq!(answer(port, "a").await, "one");
    drop(taken);
    until(wanted, "a", "one").await;
    until_in_sync(&host).await;
}

#[tokio::test]
async fn a_misspelled_directory_removes_nothing() {
    let port = free_port();
    let text = config(port).replace("[network", "pipelines_path = \"pipelines\"\n[network");
    let dir = Workdir::with([("config.toml", text), ("pipelines/a.toml", pipeline("a", "kept"))]);
    let host = start(&dir).await;
    dir.edit("config.toml", "\"pipelines\"", "\"pipelnes\"");
    let reason = until_rejected(&host).await;
    assert!(reason.contains("config.toml:4: pipelnes"), "{reason}");
    assert_eq!(answer(port, "a").await, "kept");
}

#[tokio::test]
async fn a_pipe_among_the_files_does_not_block() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "kept"))]);
    let host = start(&dir).await;
    let pipe = dir.path().join("pipelines/b.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(until_rejected(&host).await.contains("a named pipe, not a regular file"));
    fs::remove_file(pipe).unwrap();
    until_in_sync(&host).await;
    assert!(host.shut_down(std::time::Duration::from_secs(20)).await);
}

#[tokio::test]
async fn a_connection_survives_a_renamed_network() {
    let port = free_port();
    let dir = Workdir::with([("config.toml", config(port)), ("pipelines/a.toml", pipeline("a", "one"))]);
    let _host = start(&dir).await;
    let client = harmony_tests::client();
    let url = format!("http://127.0.0.1:{port}/a");
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
    // Two files cannot change atomically, so the pipeline names both networks, of which one exists at a time.
    let both = pipeline("a", "two").replace("\"default\"", "\"default\", \"renamed\"");
    let second =
        format!("[network.renamed.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\n", free_port());
    dir.replace("config.toml", &(config(port) + &second));
    dir.replace("pipelines/a.toml", &both);
    until(port, "a", "two").await;
    let swapped = config(port) + &second;
    let swapped =
        swapped.replace("network.default", "network.x").replace("network.renamed", "network.default");
    dir.replace("config.toml", &swapped.replace("network.x", "network.renamed"));
    for _ in 0..50 {
        assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
    }
}
