//! The host as a library: the feed of snapshots, and calls through the host's caches.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use harmony_host::{Host, HostOptions, Verdict};
use harmony_tests::Workdir;
use provider_api::{ErrorKind, Reference};

use crate::counting::{CallCounts, CountingFactory, TOKEN};

/// A configuration without networks: the embedding application has its own listeners.
const CONFIG: &str = "[proxy]\nid = \"embedded\"\nprimary_provider = \"counting\"\n\n[provider.counting]\napi = \"x\"\n\n\
                      [remote_ingress.theirs]\nurls = [\"https://theirs.example/r4\"]\n";
const MESH: &str =
    "[mesh.imaging]\nid = \"01H\"\ntype = \"http\"\nprovider = \"counting\"\ningress = [\"theirs\"]\n";

async fn embed() -> (Host, Arc<CallCounts>, Workdir) {
    let dir = Workdir::with([("config.toml", CONFIG.to_owned()), ("mesh/imaging.toml", MESH.to_owned())]);
    let counted = Arc::new(CallCounts::default());
    let mut registry = harmony_host::registry();
    registry.register(CountingFactory(Arc::clone(&counted)));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    (Host::start(options).await.expect("a configuration without networks starts"), counted, dir)
}

fn reference() -> Reference {
    "counting.team.ingress.name.there".parse().unwrap()
}

/// A gateway without networks opens no listener, and still applies edits of its files.
#[tokio::test]
async fn a_gateway_without_networks_watches_its_files() {
    let (host, _, dir) = embed().await;
    assert!(host.addresses().is_empty());
    let mut snapshots = host.snapshots();
    assert_eq!(snapshots.next().await.unwrap().generation(), 1);
    dir.edit("config.toml", "theirs.example/r4", "theirs.example/r5");
    assert_eq!(snapshots.next().await.unwrap().generation(), 2);
}

/// The snapshot feed yields the latest live snapshot only, never a rejected one, and ends when the gateway stops.
#[tokio::test]
async fn the_feed_yields_the_latest_live_snapshot() {
    let (host, _, dir) = embed().await;
    let (mut slow, mut fast) = (host.snapshots(), host.snapshots());
    assert_eq!(fast.next().await.unwrap().generation(), 1);
    dir.edit("mesh/imaging.toml", "\"http\"", "\"telepathy\"");
    assert!(matches!(host.reload().await, Some(Verdict::Rejected(_))));
    // `next` is cancel safe: a dropped call loses no snapshot.
    assert!(
        tokio::time::timeout(Duration::ZERO, fast.next()).await.is_err(),
        "a rejected configuration is not in the feed"
    );
    dir.edit("mesh/imaging.toml", "\"telepathy\"", "\"http\"");
    for n in [5, 6] {
        dir.edit("config.toml", &format!("theirs.example/r{}", n - 1), &format!("theirs.example/r{n}"));
        host.reload().await;
    }
    let latest = host.snapshot().generation();
    assert_eq!(slow.next().await.unwrap().generation(), latest, "intermediate snapshots are skipped");
    assert_eq!(slow.latest().generation(), latest);
    drop(host.snapshots().next());
    let mut late = host.snapshots();
    assert!(host.shut_down(Duration::from_secs(5)).await);
    assert_eq!(late.next().await.unwrap().generation(), latest, "the last snapshot is still delivered");
    assert!(late.next().await.is_none() && slow.next().await.is_none());
}

/// Concurrent requests for a reference cause one fetch. While the provider is unavailable, the previous resolution is
/// used.
#[tokio::test]
async fn concurrent_resolves_are_one_fetch() {
    let (host, counted, dir) = embed().await;
    let snapshot = host.snapshot();
    let resolving: Vec<_> = (0..1_000)
        .map(|_| {
            let snapshot = Arc::clone(&snapshot);
            tokio::spawn(async move { snapshot.resolve(&reference()).await })
        })
        .collect();
    for task in resolving {
        assert_eq!(*task.await.unwrap().unwrap(), ["https://there.example/r4".to_owned()]);
    }
    assert_eq!(counted.resolved.load(SeqCst), 1);

    // A new configuration resolves again, while the provider is unavailable.
    counted.unavailable.store(true, SeqCst);
    dir.edit("config.toml", "theirs.example/r4", "theirs.example/r5");
    host.reload().await;
    assert_eq!(
        *host.snapshot().resolve(&reference()).await.unwrap(),
        ["https://there.example/r4".to_owned()]
    );
    let never: Reference = "counting.team.ingress.name.never".parse().unwrap();
    let error = host.snapshot().resolve(&never).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let inactive: Reference = "runbeam.team.ingress.name.there".parse().unwrap();
    assert_eq!(host.snapshot().resolve(&inactive).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn tokens_are_issued_once_and_for_members_only() {
    let (host, counted, _dir) = embed().await;
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

/// A verified token is cached for its ingress and the paths below, and for nothing else.
#[tokio::test]
async fn a_verified_token_is_cached_for_its_ingress() {
    let (host, counted, _dir) = embed().await;
    let snapshot = host.snapshot();
    let verify = async |url: &str, token: &str| snapshot.verify_mesh_token("imaging", url, token).await;
    assert_eq!(&*verify("https://theirs.example/r4/Patient/1", TOKEN).await.unwrap(), "gateway:theirs");
    let verified = counted.verified.load(SeqCst);
    for n in 2..50 {
        assert!(verify(&format!("https://theirs.example/r4/Patient/{n}?x"), TOKEN).await.is_ok());
    }
    assert_eq!(counted.verified.load(SeqCst), verified, "the host caches the verification");
    let tampered = TOKEN.replace("claims", "clAims");
    for (url, token) in [
        ("https://theirs.example/r4/Patient/1", tampered.as_str()),
        ("https://theirs.example/r5", TOKEN),
        ("https://elsewhere.example/r4", TOKEN),
        ("https://theirs.example/r4/../r5", TOKEN),
        ("https://theirs.example/r4/%2e%2e/r5", TOKEN),
        ("/r4", TOKEN),
    ] {
        assert_eq!(verify(url, token).await.unwrap_err().kind(), ErrorKind::Denied, "{url}");
    }
}
