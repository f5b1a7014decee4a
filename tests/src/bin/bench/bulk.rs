//! Many pending changes of a control plane: the time to the first and the last verdict, and what they cost.

use std::sync::Arc;
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::site::on_ports;
use harmony_tests::{Gateway, RUNBEAM_CONFIG, Workdir, free_port, site};
use http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;

use crate::Outcome;
use crate::connection::{Connection, GetRequest};
use crate::cpus::Cpus;
use crate::process::Process;

/// The round trips to the control plane, in milliseconds.
const ROUND_TRIPS: [u64; 2] = [0, 40];

/// The time until the last verdict. Generous: a run that reaches it fails.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The cost of some pending changes.
#[derive(Debug, Serialize)]
pub(crate) struct Bulk {
    pub(crate) changes: usize,
    pub(crate) round_trip_millis: u64,
    /// From the request for the list to the first verdict.
    pub(crate) first_seconds: f64,
    pub(crate) last_seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_millis_per_change: f64,
    /// The calls of the control plane.
    pub(crate) calls: usize,
    /// The syncs of files and directories.
    pub(crate) syncs: u64,
}

/// Measures each number of changes at each round trip, on the real program.
///
/// # Errors
/// Fails if a change is not applied, or if a pipeline of it does not respond.
pub(crate) async fn measure(counts: &[usize], cpus: &Cpus) -> Outcome<Vec<Bulk>> {
    let mut all = Vec::new();
    for round_trip in ROUND_TRIPS {
        for changes in counts {
            all.push(one(cpus, *changes, round_trip).await?);
        }
    }
    Ok(all)
}

async fn one(cpus: &Cpus, changes: usize, round_trip: u64) -> Outcome<Bulk> {
    let cloud = ControlPlane::builder().per_page(100).start().await.map_err(|error| error.to_string())?;
    let token = cloud.authorize("acme", "edge").to_string();
    let (port, admin) = (free_port(), free_port());
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "0");
    let files = Arc::new(Workdir::new());
    files.write("config.toml", &on_ports(&config, port, admin));
    files.write("pipelines/first.toml", &site::echo("first", "/first"));
    for n in 0..changes {
        cloud.change("edge", "pipeline", &site::echo(&format!("p{n:04}"), &format!("/p{n:04}")));
    }
    let mut gateway = Process::harmony_authorized(cpus, &files, port, &token);
    gateway.wait_until_serving(&GetRequest::new(gateway.address, "/first")).await?;
    if round_trip > 0 {
        cloud.inject(When::path("/*"), Fault::Delay(Duration::from_millis(round_trip)));
    }
    cloud.forget_requests();
    let (cpu, syncs) = (gateway.cpu_time(), syncs(admin).await);
    let sync =
        tokio::spawn(harmony_tests::client().post(format!("http://127.0.0.1:{admin}/admin/sync")).send());
    let start = Instant::now();
    while cloud.applied() < changes {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if start.elapsed() > TIMEOUT {
            let log = gateway.log();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            let applied = cloud.applied();
            return Err(format!("bulk: {applied} of {changes} verdicts within {TIMEOUT:?}; {last:#?}"));
        }
    }
    let _ = sync.await;
    let cpu_seconds = (gateway.cpu_time() - cpu).total();
    let last = format!("/p{:04}", changes - 1);
    let answer =
        Connection::open(gateway.address).await?.get(&GetRequest::new(gateway.address, &last)).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("bulk: {last} responds with {}", answer.status()));
    }
    let requests = cloud.requests();
    let is_verdict = |route: &str| route.ends_with("/applied");
    let began = requests.first().map(|request| request.at).ok_or("bulk: no request")?;
    let mut verdicts = requests.iter().filter(|request| is_verdict(&request.route)).map(|request| request.at);
    let first = verdicts.next().ok_or("bulk: no verdict")?;
    let last = verdicts.next_back().unwrap_or(first);
    Ok(Bulk {
        changes,
        round_trip_millis: round_trip,
        first_seconds: first.duration_since(began).as_secs_f64(),
        last_seconds: last.duration_since(began).as_secs_f64(),
        cpu_seconds,
        cpu_millis_per_change: cpu_seconds * 1e3 / changes as f64,
        calls: requests.len(),
        syncs: self::syncs(admin).await - syncs,
    })
}

async fn syncs(admin: u16) -> u64 {
    Gateway::management(admin, "info").await["disk_syncs"].as_u64().unwrap_or_default()
}
