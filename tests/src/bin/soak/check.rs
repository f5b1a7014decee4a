//! The quiet phase of the soak test: everything must settle, and every promise is checked.

use std::fs;
use std::time::Duration;

use harmony_tests::client;
use harmony_tests::control_plane::Status;
use harmony_tests::disk::{leftover_files, sha256};
use serde_json::Value;
use tokio::time::Instant;

use crate::change::PIPELINES;
use crate::world::{BY_HAND, World, hand_file};

/// The time the gateway has to settle. Generous: a run that reaches it fails.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits until the gateway is idle, and records every problem.
pub(crate) async fn run(world: &mut World) {
    // This phase needs a process without failpoints.
    if let Some(gateway) = world.gateway.as_mut()
        && gateway.is_running()
    {
        gateway.signal("KILL").await;
    }
    world.reap(true).await;
    world.start_gateway("").await;
    if world.gateway.is_none() {
        return;
    }
    let end = Instant::now() + LIMIT;
    loop {
        match check_idle(world).await {
            Ok(()) => break,
            Err(status) if Instant::now() > end => {
                world.problems.push(format!("the gateway does not settle: {status}"));
                return;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    let mut problems = world.cloud.violations();
    for pipeline in 0..PIPELINES {
        problems.extend(check_verdicts(world, pipeline).await);
    }
    for n in 0..BY_HAND {
        let (served, wanted) = (version(world, &format!("hand{n}")).await, Some(world.by_hand[n]));
        if served != wanted {
            let on_disk = world.dir.read(&hand_file(n));
            problems.push(format!("hand{n} serves version {served:?}, expected {wanted:?}: {on_disk}"));
        }
    }
    problems.extend(differing_files(world).await);
    problems.extend(leftover_files(world.dir.path()));
    world.problems.extend(problems);
}

async fn management(world: &World, path: &str) -> Result<Value, String> {
    let url = format!("http://127.0.0.1:{}/admin/{path}", world.admin);
    let answer = client().get(&url).send().await.map_err(|error| error.to_string())?;
    answer.json().await.map_err(|error| error.to_string())
}

/// Checks that the gateway has no work left and serves what its files say. Triggers a sync first, as an operator would
/// who does not want to wait for the backoff.
async fn check_idle(world: &World) -> Result<(), String> {
    let _ = client().post(format!("http://127.0.0.1:{}/admin/sync", world.admin)).send().await;
    let open = |change: &&crate::change::Change| !world.cloud.view(&change.id).is_settled();
    let unsettled = world.changes.iter().filter(open).count();
    let status = management(world, "provider").await?;
    let served = status["desired"]["digest"] == status["effective"]["digest"]
        && status["attempted"]["verdict"] == "applied";
    let sync = &status["sync"];
    let quiet = sync["unsettled"] == 0 && sync["undelivered"] == 0 && sync["failure"].is_null();
    match unsettled == 0 && served && quiet && status["last_good"]["failure"].is_null() {
        true => Ok(()),
        false => Err(format!("{unsettled} changes without a verdict; {status}")),
    }
}

/// Checks the verdicts on the changes of a pipeline: the newest applied one is served, and no invalid one is applied.
async fn check_verdicts(world: &World, pipeline: usize) -> Vec<String> {
    let of_pipeline = || world.changes.iter().filter(|change| change.pipeline == pipeline);
    let applied = |change: &&crate::change::Change| world.cloud.view(&change.id).status == Status::Applied;
    let mut problems: Vec<String> = of_pipeline()
        .filter(|change| !change.valid && applied(change))
        .map(|change| format!("an invalid change is applied: {change:?}"))
        .collect();
    let newest = of_pipeline().filter(applied).map(|change| change.version).max();
    let served = version(world, &format!("p{pipeline}")).await;
    if served != newest {
        let verdicts: Vec<_> = of_pipeline()
            .map(|change| {
                let view = world.cloud.view(&change.id);
                (change.version, view.status, view.error_message)
            })
            .collect();
        problems
            .push(format!("p{pipeline}: version {served:?} is served, {newest:?} is applied; {verdicts:?}"));
    }
    problems
}

/// Requests a pipeline and returns its version.
async fn version(world: &World, name: &str) -> Option<usize> {
    let url = format!("http://127.0.0.1:{}/{name}", world.port);
    let answer: Value = client().get(&url).send().await.ok()?.json().await.ok()?;
    answer["endpoint"].as_str()?.rsplit_once("_v")?.1.parse().ok()
}

/// Returns a problem for each file on disk that differs from the served file.
async fn differing_files(world: &World) -> Vec<String> {
    let status = management(world, "config/status").await.unwrap_or_default();
    let Some(files) = status["files"].as_array() else { return vec!["the status lists no files".to_owned()] };
    let differs = |file: &&Value| {
        let on_disk = fs::read(world.dir.path().join(file["name"].as_str().unwrap_or_default()));
        on_disk.ok().map(|bytes| sha256(&bytes)).as_deref() != file["sha256"].as_str()
    };
    files
        .iter()
        .filter(differs)
        .map(|file| format!("{} on disk differs from the served file", file["name"]))
        .collect()
}
