//! The host as a library: the feed of snapshots, admission, and cached references and tokens.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use harmony_host::{
    AdmissionError, Capabilities, FileKind, Host, HostOptions, Management, RequestHead, Scheme, Snapshot,
    Verdict,
};
use harmony_tests::{NullActivation, Workdir};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use provider_api::{ErrorKind, Reference};

use crate::counting::{CallCounts, CountingFactory, TOKEN};

/// A configuration whose network has port 1, which the test could not bind: the host opens no port.
const CONFIG: &str = "[proxy]\nid = \"embedded\"\nprimary_provider = \"counting\"\n\n[provider.counting]\napi = \"x\"\n\n\
                      [network.own.http]\nbind_address = \"127.0.0.1\"\nbind_port = 1\n\
                      [remote_ingress.theirs]\nurls = [\"https://theirs.example/r4\"]\n";
const MESH: &str = "[mesh.imaging]\nid = \"01H\"\ntype = \"http\"\nprovider = \"counting\"\n\
                    ingress = [\"theirs\", \"ours\"]\n";
const PIPELINE: &str = "[pipelines.records]\nnetworks = [\"own\"]\nendpoints = [\"fhir\"]\nbackends = [\"store\"]\n\
                        [pipelines.records.mesh.ingress.ours]\ntype = \"http\"\nmode = \"mesh\"\n\
                        urls = [\"https://theirs.example/r4\"]\n\
                        [endpoints.fhir]\nservice = \"fhir\"\noptions.path_prefix = \"/fhir\"\n\
                        [backends.store]\nservice = \"http\"\ntarget_ref = \"counting.team.ingress.name.there\"\n";

async fn embedded() -> (Host, Arc<CallCounts>, Workdir) {
    let dir = Workdir::with([
        ("config.toml", CONFIG.to_owned()),
        ("mesh/imaging.toml", MESH.to_owned()),
        ("pipelines/records.toml", PIPELINE.to_owned()),
        ("transforms/patient.json", "[]".to_owned()),
    ]);
    let counted = Arc::new(CallCounts::default());
    let mut registry = harmony_host::registry();
    registry.register(CountingFactory(Arc::clone(&counted)));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    let application = NullActivation(Capabilities::new().with_endpoint("fhir").with_backend("http"));
    (Host::start(options, application).await.expect("it starts"), counted, dir)
}

fn there() -> Reference {
    "counting.team.ingress.name.there".parse().unwrap()
}

#[tokio::test]
async fn host_opens_no_port_and_follows_files() {
    let (host, _, dir) = embedded().await;
    assert!(tokio::net::TcpStream::connect("127.0.0.1:1").await.is_err(), "the host listens nowhere");
    let mut snapshots = host.snapshots();
    assert_eq!(snapshots.next().await.unwrap().generation(), 1);
    dir.edit("config.toml", "theirs.example/r4", "theirs.example/r5");
    assert_eq!(snapshots.next().await.unwrap().generation(), 2);
}

#[tokio::test]
async fn feed_gives_the_latest_live_snapshot() {
    let (host, _, dir) = embedded().await;
    let (mut slow, mut fast) = (host.snapshots(), host.snapshots());
    assert_eq!(fast.next().await.unwrap().generation(), 1);
    dir.edit("mesh/imaging.toml", "\"http\"", "\"telepathy\"");
    assert!(matches!(host.reload().await, Some(Verdict::Rejected(_))));
    // A call that is dropped while it waits consumes no snapshot.
    assert!(
        tokio::time::timeout(Duration::ZERO, fast.next()).await.is_err(),
        "a rejected candidate is not published"
    );
    dir.edit("mesh/imaging.toml", "\"telepathy\"", "\"http\"");
    for n in [5, 6] {
        dir.edit("config.toml", &format!("theirs.example/r{}", n - 1), &format!("theirs.example/r{n}"));
        host.reload().await;
    }
    let latest = host.snapshot().generation();
    assert_eq!(slow.next().await.unwrap().generation(), latest, "a slow reader skips snapshots");
    assert_eq!(slow.latest().generation(), latest);
    drop(host.snapshots().next());
    let mut late = host.snapshots();
    host.clone().shut_down(Duration::from_secs(5)).await;
    assert!(host.reload().await.is_none(), "all handles refer to the same host");
    assert_eq!(late.next().await.unwrap().generation(), latest, "the last snapshot is still returned");
    assert!(late.next().await.is_none() && slow.next().await.is_none());
}

#[tokio::test]
async fn reference_is_fetched_once_and_outlives_its_provider() {
    let (host, counted, dir) = embedded().await;
    let snapshot = host.snapshot();
    let asking: Vec<_> = (0..1_000)
        .map(|_| {
            let snapshot = Arc::clone(&snapshot);
            tokio::spawn(async move { snapshot.resolve(&there()).await })
        })
        .collect();
    for one in asking {
        assert_eq!(*one.await.unwrap().unwrap(), ["https://there.example/r4".to_owned()]);
    }
    assert_eq!(counted.resolved.load(SeqCst), 1);

    // The next configuration resolves the reference again, and the provider is unavailable.
    counted.unavailable.store(true, SeqCst);
    dir.edit("config.toml", "theirs.example/r4", "theirs.example/r5");
    host.reload().await;
    assert_eq!(*host.snapshot().resolve(&there()).await.unwrap(), ["https://there.example/r4".to_owned()]);
    let never: Reference = "counting.team.ingress.name.never".parse().unwrap();
    let error = host.snapshot().resolve(&never).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let inactive: Reference = "runbeam.team.ingress.name.there".parse().unwrap();
    assert_eq!(host.snapshot().resolve(&inactive).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn token_is_issued_once_per_member() {
    let (host, counted, _dir) = embedded().await;
    let snapshot = host.snapshot();
    for path in ["", "/Patient/1", "/Patient/2?_format=json"] {
        let url = format!("https://theirs.example/r4{path}");
        let header = snapshot.mesh_authorization("imaging", &url).await.unwrap().expect("a member");
        assert!(header.is_sensitive());
        assert_eq!(header.to_str().unwrap(), format!("Bearer {TOKEN}"));
    }
    assert_eq!(counted.issued.load(SeqCst), 1);
    for outside in
        ["https://theirs.example/r4evil", "https://elsewhere.example/r4", "http://theirs.example/r4"]
    {
        assert!(snapshot.mesh_authorization("imaging", outside).await.unwrap().is_none(), "{outside}");
    }
    let error = snapshot.mesh_authorization("nowhere", "https://theirs.example/r4").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        snapshot.mesh_authorization("imaging", "no url").await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

async fn admitted(snapshot: &Snapshot, url: &str, token: Option<&str>) -> Result<String, AdmissionError> {
    let (authority, path) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')).unwrap();
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    }
    let path = format!("/{path}");
    let head = RequestHead::new("own", Scheme::Https, authority, &path, &headers);
    let admitted = snapshot.admit(&head).await?;
    let sender = admitted.mesh().map_or("nobody", |mesh| mesh.sender());
    let destination = snapshot.destination(&admitted).await?.expect("an http backend");
    Ok(format!("{} {} {sender} {}", admitted.pipeline(), admitted.rest(), destination.urls[0].url))
}

#[tokio::test]
async fn admission_applies_every_rule() {
    let (host, counted, _dir) = embedded().await;
    let snapshot = host.snapshot();
    let first = admitted(&snapshot, "https://theirs.example/r4/Patient/1", Some(TOKEN)).await.unwrap();
    assert_eq!(first, "records /Patient/1 gateway:theirs https://there.example/r4/Patient/1");
    let verified = counted.verified.load(SeqCst);
    for n in 2..50 {
        let url = format!("https://theirs.example/r4/Patient/{n}");
        assert!(admitted(&snapshot, &url, Some(TOKEN)).await.is_ok());
    }
    assert_eq!(counted.verified.load(SeqCst), verified, "the host remembers the token");
    let forged = TOKEN.replace("claims", "clAims");
    for (url, token, status) in [
        ("https://theirs.example/r4/Patient/1", Some(forged.as_str()), 403),
        ("https://theirs.example/r4/Patient/1", None, 403),
        // The path of the endpoint requires a token as well as the URL of its mesh-only ingress.
        ("https://elsewhere.example/fhir/Patient/1", None, 403),
        ("https://theirs.example/r5", Some(TOKEN), 404),
        ("https://theirs.example/r4/../r5", Some(TOKEN), 400),
        ("https://theirs.example/r4/%2e%2e/r5", Some(TOKEN), 400),
        ("https://theirs.example:x/r4", Some(TOKEN), 400),
    ] {
        let error = admitted(&snapshot, url, token).await.unwrap_err();
        assert_eq!(error.status().as_u16(), status, "{url}: {error}");
    }
}

#[tokio::test]
async fn files_have_their_texts() {
    let (host, _, _dir) = embedded().await;
    let snapshot = host.snapshot();
    let files: Vec<_> =
        snapshot.files().map(|file| (file.name(), file.kind(), file.text().unwrap())).collect();
    assert_eq!(
        files,
        [
            ("config.toml", FileKind::Gateway, CONFIG),
            ("mesh/imaging.toml", FileKind::Part, MESH),
            ("pipelines/records.toml", FileKind::Part, PIPELINE),
            ("transforms/patient.json", FileKind::Transform, "[]"),
        ]
    );
    let place = snapshot.place_of("endpoints.fhir.options.path_prefix").unwrap();
    assert_eq!(place.to_string(), "pipelines/records.toml:11");
}

/// An application without the built-in gateway has the metrics of the control side, and names the reason of a refusal.
#[tokio::test]
async fn metrics_of_the_control_side() {
    let (host, _, dir) = embedded().await;
    dir.edit("config.toml", "[network.own.http]", "[management]\nenabled = true\n[network.own.http]");
    assert!(matches!(host.reload().await, Some(Verdict::Applied { .. } | Verdict::Unchanged { .. })));
    let snapshot = host.snapshot();
    for _ in 0..5 {
        snapshot.resolve(&there()).await.unwrap();
        snapshot.mesh_authorization("imaging", "https://theirs.example/r4").await.unwrap();
    }
    let url = "https://theirs.example/r4/Patient/1";
    let forged = TOKEN.replace("claims", "clAims");
    assert_eq!(admitted(&snapshot, url, None).await.unwrap_err().reason(), "mesh_token_missing");
    assert_eq!(admitted(&snapshot, url, Some(&forged)).await.unwrap_err().reason(), "mesh_token_denied");
    assert!(admitted(&snapshot, url, Some(TOKEN)).await.is_ok());
    let request = http::Request::get("/metrics").header("host", "localhost").body(String::new()).unwrap();
    let response = Management::new(&host).handle(([127, 0, 0, 1], 50_000).into(), request).await;
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    for line in [
        "harmony_configuration_generation 2.0",
        "harmony_configurations_applied_total 2",
        "harmony_configuration_pipelines 1.0",
        "harmony_cache_fetches_total{cache=\"references\",mesh=\"\"} 1",
        "harmony_cache_fetches_total{cache=\"issued_tokens\",mesh=\"imaging\"} 1",
        "harmony_cache_lookups_total{cache=\"verified_tokens\",mesh=\"imaging\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    assert!(!text.contains("harmony_requests_total"), "the application serves the requests");
}
