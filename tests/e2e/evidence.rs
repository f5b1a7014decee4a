//! "In sync" is a claim with evidence: new state, older tokens, and several gateways on one token.

use std::time::Duration;

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, on_ports};
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, Workdir, client, free_port};
use provider_api::{Registry, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Environment, RunbeamFactory};
use serde_json::{Value, json};

/// Starts a gateway with this value of `RUNBEAM_MACHINE_TOKEN`.
async fn start(dir: &Workdir, machine_token: &str) -> RunningGateway {
    let environment =
        Environment { machine_token: Some(Secret::new(machine_token)), ..Environment::default() };
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    RunningGateway::start(options).await.unwrap()
}

fn directory(cloud: &ControlPlane) -> Workdir {
    let dir = Workdir::new();
    let config = harmony_tests::RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "0");
    dir.write("config.toml", &on_ports(&config, free_port(), free_port()));
    dir
}

/// A machine whose state is new while its token is not never says "in sync" without a note, over restarts, until the
/// operator accepts it.
#[tokio::test]
async fn new_state_with_an_older_token_is_unknown() {
    let cloud = ControlPlane::start().await;
    let issued = cloud.authorize("acme", "edge");
    let mut old = serde_json::to_value(&issued).unwrap();
    old["issued_at"] = json!("2020-01-01T00:00:00Z");
    // Only the control plane knows when a bare token was issued.
    for token in [old.to_string(), issued.machine_token.clone()] {
        let dir = directory(&cloud);
        for _ in 0..2 {
            let host = start(&dir, &token).await;
            host.sync().await.unwrap();
            let status = host.status();
            assert!(!status.in_sync() && status.is_unknown(), "{:?}", status.reason());
            let reason = status.reason().unwrap();
            assert!(reason.contains("newer than its token") && reason.contains("--accept-fresh"), "{reason}");
            for command in ["status", "sync"] {
                let mut run = tokio::process::Command::new(harmony_tests::binary());
                run.arg(command)
                    .arg("--config")
                    .arg(dir.config())
                    .arg("--state-dir")
                    .arg(dir.path().join("state"));
                let output = run.output().await.unwrap();
                assert_eq!(output.status.code(), Some(8), "{command}: {output:?}");
            }
            host.shut_down(Duration::from_secs(5)).await;
        }
        let host = start(&dir, &token).await;
        host.sync().await.unwrap();
        host.accept_fresh().await.unwrap();
        assert!(host.status().in_sync(), "{:?}", host.status().reason());
        host.shut_down(Duration::from_secs(5)).await;
        let host = start(&dir, &token).await;
        host.sync().await.unwrap();
        assert!(host.status().in_sync(), "it stays accepted: {:?}", host.status().reason());
        host.shut_down(Duration::from_secs(5)).await;
    }
}

/// A control plane that is away at the first start does not make the state of a second one look known.
#[tokio::test]
async fn state_stays_new_over_a_failed_first_sync() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("acme", "edge").machine_token;
    let dir = directory(&cloud);
    let rule = cloud.inject(
        harmony_tests::control_plane::When::path("*"),
        harmony_tests::control_plane::Fault::status(503),
    );
    let host = start(&dir, &token).await;
    host.sync().await.unwrap();
    host.shut_down(Duration::from_secs(5)).await;
    cloud.remove_fault(rule);
    let host = start(&dir, &token).await;
    host.sync().await.unwrap();
    assert!(host.status().is_unknown(), "{:?}", host.status().reason());
}

/// The case `replicas_one_token`: each change reaches one of two gateways. Both say when the control plane was last heard,
/// what was applied here and when, and what is not seen from here.
#[tokio::test]
async fn replicas_one_token() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("acme", "edge").to_string();
    let dirs = [directory(&cloud), directory(&cloud)];
    let hosts = [start(&dirs[0], &token).await, start(&dirs[1], &token).await];
    let mut notes = Vec::new();
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    for host in &hosts {
        host.sync().await.unwrap();
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
        let status = host.status();
        let evidence = &status.sync.as_ref().unwrap().evidence;
        assert!(evidence.since.is_some() && status.sync.as_ref().unwrap().heard_at.is_some());
        notes.push((evidence.last_applied.clone(), status.note().unwrap()));
    }
    let applied = notes[0].0.as_ref().unwrap();
    assert_eq!((applied.id.as_str(), applied.kind.as_str()), (change.as_str(), "pipeline"));
    assert!(applied.at.is_some() && notes[0].1.contains(&change), "{}", notes[0].1);
    assert!(notes[1].0.is_none() && notes[1].1.contains("no change was applied here yet"), "{}", notes[1].1);
    for (_, note) in &notes {
        assert!(note.contains("last heard at") && note.contains("another gateway"), "{note}");
    }
}

/// A control plane that was not asked is no evidence: after a start without polling, and after an edit of `api`, which leads
/// to another one.
#[tokio::test]
async fn a_control_plane_that_was_not_heard_is_unknown() {
    let (cloud, other) = (ControlPlane::start().await, ControlPlane::start().await);
    let token = cloud.authorize("acme", "edge").to_string();
    let dir = directory(&cloud);
    let host = start(&dir, &token).await;
    let unknown = |address: &str| {
        let status = host.status();
        let reason = status.reason().unwrap_or_default();
        status.is_unknown() && reason.contains("was not heard yet") && reason.contains(address)
    };
    assert!(unknown(cloud.url()), "{:?}", host.status().reason());
    host.sync().await.unwrap();
    assert!(host.status().in_sync(), "{:?}", host.status().reason());
    dir.edit("config.toml", cloud.url(), other.url());
    host.reload().await.unwrap();
    assert!(unknown(other.url()), "{:?}", host.status().reason());
}

/// The last applied change is known after a restart, and `sync --accept-fresh` goes over the management API.
#[tokio::test]
async fn evidence_over_a_restart_and_the_api() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    gateway.host.sync().await.unwrap();
    let gateway = gateway.restarted().await;
    let provider = async || -> Value {
        let answer = client().get(gateway.admin_url("/admin/provider")).send().await.unwrap();
        answer.json().await.unwrap()
    };
    gateway.host.sync().await.unwrap();
    let shown = provider().await;
    assert_eq!(shown["sync"]["evidence"]["last_applied"]["id"], json!(change), "{shown}");
    assert!(shown["note"].as_str().unwrap().contains(&change), "{shown}");
    assert_eq!((&shown["in_sync"], &shown["unknown"]), (&json!(true), &json!(false)), "{shown}");
    assert!(shown["sync"]["credential_source"].is_string(), "{shown}");
    let answer = client().post(gateway.admin_url("/admin/sync/accept-fresh")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

/// The end of the credential is in `GET info`.
#[tokio::test]
async fn info_says_when_the_token_ends() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::with(&cloud, InProcessGatewayOptions::default()).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    cloud.wait_until_settled(&change).await;
    let info: Value =
        client().get(gateway.admin_url("/admin/info")).send().await.unwrap().json().await.unwrap();
    assert_eq!(info["authorization"], "valid", "{info}");
    let until: jiff::Timestamp = info["authorized_until"].as_str().unwrap().parse().unwrap();
    assert!(until > jiff::Timestamp::now(), "{info}");
}
