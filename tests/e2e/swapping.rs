//! Switching between three providers under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, forward, on_ports};
use harmony_tests::{RUNBEAM_CONFIG, Upstream, Workdir, eventually, free_port};
use provider_api::{ErrorKind, Reference, Registry, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Environment, RunbeamFactory};

use crate::counting::{CallCounts, CountingFactory};
use crate::load::load;

const CLIENTS: usize = 4;

/// An edit of one word switches between three providers, and no request to a local route fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_providers_fails_no_local_request() {
    let (upstream, cloud) = (Upstream::with_body("from the upstream").await, ControlPlane::start().await);
    let port = free_port();
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1")
        + "\n[provider.counting]\napi = \"x\"\n";
    let dir = Workdir::with([
        ("config.toml", on_ports(&config, port, free_port())),
        ("pipelines/own.toml", forward("own", "/own", &upstream.url())),
    ]);
    let machine_token = Some(Secret::new(cloud.authorize("acme", "edge").to_string()));
    let environment = Environment { machine_token, ..Environment::default() };
    let counted = Arc::new(CallCounts::default());
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment));
    registry.register(CountingFactory(Arc::clone(&counted)));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    let host = RunningGateway::start(options).await.expect("it starts");

    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("http://127.0.0.1:{port}/own");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(load(url.clone(), Arc::clone(&stop), Arc::clone(&count))))
        .collect();

    let there: Reference = "counting.team.ingress.name.there".parse().unwrap();
    let mut current = "runbeam";
    for round in 0..3 {
        // A change of the control plane goes live, and its pipeline is a local route from then on.
        let name = format!("round{round}");
        let change = cloud.put_document("edge", "pipeline", &echo(&name, &format!("/{name}")));
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
        for next in ["counting", "local", "runbeam"] {
            let line = |name: &str| format!("primary_provider = \"{name}\"");
            dir.edit("config.toml", &line(current), &line(next));
            eventually("the provider is primary", || async {
                let name = host.snapshot().providers().primary_name().to_string();
                if name == next { Ok(()) } else { Err(name) }
            })
            .await;
            current = next;
            // The primary provider resolves references.
            match host.snapshot().resolve(&there).await {
                Ok(urls) if next == "counting" => assert_eq!(*urls, ["https://there.example/r4".to_owned()]),
                Err(error) if next != "counting" => assert_eq!(error.kind(), ErrorKind::Invalid, "{next}"),
                other => panic!("{next}: {other:?}"),
            }
            let status =
                harmony_tests::get(format!("http://127.0.0.1:{port}/{name}")).await.unwrap().status();
            assert_eq!(status, 200, "the pipeline stays live under {next}");
        }
    }
    assert_eq!(counted.resolved.load(Ordering::SeqCst), 3, "one resolution per switch");
    stop.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for client in clients {
        failures.extend(client.await.expect("a client"));
    }
    assert!(
        failures.is_empty(),
        "{} of {}: {:?}",
        failures.len(),
        count.load(Ordering::Relaxed),
        failures.first()
    );
    assert!(count.load(Ordering::Relaxed) > CLIENTS * 9, "the clients sent enough requests");
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}
