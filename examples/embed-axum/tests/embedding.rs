//! The application with its gateway, over real sockets.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use embed_axum::app;
use harmony_host::{Host, HostOptions};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

async fn get(url: &str) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let answer = client.request(Request::get(url).body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

/// The files of the example with the port that the application got.
fn files(to: &Path, port: u16) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway");
    for name in ["config.toml", "mesh/clinic.toml", "pipelines/archive.toml"] {
        let text = fs::read_to_string(from.join(name)).unwrap();
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("8085", &port.to_string())).unwrap();
    }
}

#[tokio::test]
async fn the_application_listens_and_the_gateway_knows_the_way_and_the_callers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), port);
    let mut options = HostOptions::new(dir.path().join("config.toml"), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    let host = Arc::new(Host::start(options).await.expect("the files are good"));
    assert!(host.addresses().is_empty(), "the gateway does not listen");
    let mut snapshots = host.snapshots();
    assert_eq!(snapshots.next().await.unwrap().generation(), 1);
    tokio::spawn(axum::serve(listener, app(Arc::clone(&host))).into_future());
    let own = format!("http://127.0.0.1:{port}");

    let found = get(&format!("{own}/where/local.name.archive")).await;
    assert_eq!(found, (StatusCode::OK, "http://127.0.0.1:8086/archive".to_owned()));
    assert_eq!(get(&format!("{own}/where/local.name.nothing")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&format!("{own}/records/7")).await.0, StatusCode::FORBIDDEN);
    let asked = get(&format!("{own}/ask/{own}/records/7")).await;
    assert_eq!(asked, (StatusCode::OK, "records for embedded".to_owned()));

    // An edit is live without a restart, and the application hears of it.
    let archive = dir.path().join("pipelines/archive.toml");
    let moved = fs::read_to_string(&archive).unwrap().replace("8086", "8087");
    fs::write(&archive, moved).unwrap();
    let next = tokio::time::timeout(Duration::from_secs(20), snapshots.next()).await.expect("in time");
    assert_eq!(next.unwrap().generation(), 2);
    assert_eq!(get(&format!("{own}/where/local.name.archive")).await.1, "http://127.0.0.1:8087/archive");
}
