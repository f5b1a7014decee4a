use std::fs;
use std::time::Duration;

use harmony_tests::client;
use harmony_tests::control_plane::Status;
use harmony_tests::traces::{left_behind, sha256};
use serde_json::Value;
use tokio::time::Instant;

use crate::change::PIPELINES;
use crate::world::{BY_HAND, World, hand_file};

/// How long it may take until everything has come to rest. Far longer than it should.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits until nothing is under way any more, and looks whether everything is as it must be.
pub(crate) async fn look(world: &mut World) {
    // One process that nobody ends.
    if let Some(gateway) = world.gateway.as_mut()
        && gateway.is_running()
    {
        gateway.signal("KILL").await;
    }
    world.buried(true).await;
    world.start("").await;
    if world.gateway.is_none() {
        return;
    }
    let end = Instant::now() + LIMIT;
    loop {
        match at_rest(world).await {
            Ok(()) => break,
            Err(why) if Instant::now() > end => {
                world.wrong.push(format!("it does not come to rest: {why}"));
                return;
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    let mut wrong = world.cloud.violations();
    for pipeline in 0..PIPELINES {
        wrong.extend(untrue(world, pipeline).await);
    }
    for n in 0..BY_HAND {
        let (served, wanted) = (version(world, &format!("hand{n}")).await, Some(world.by_hand[n]));
        if served != wanted {
            let on_disk = world.dir.read(&hand_file(n));
            wrong.push(format!("hand{n} is served as {served:?} and was edited to {wanted:?}: {on_disk}"));
        }
    }
    wrong.extend(differing_files(world).await);
    wrong.extend(left_behind(world.dir.path()));
    world.wrong.extend(wrong);
}

async fn ask(world: &World, path: &str) -> Result<Value, String> {
    let url = format!("http://127.0.0.1:{}/admin/{path}", world.admin);
    let answer = client().get(&url).send().await.map_err(|wrong| wrong.to_string())?;
    answer.json().await.map_err(|wrong| wrong.to_string())
}

/// Nothing waits, and what the files say is what is served. The gateway is told to ask now, as a person would who does
/// not want to wait for its backoff.
async fn at_rest(world: &World) -> Result<(), String> {
    let _ = client().post(format!("http://127.0.0.1:{}/admin/sync", world.admin)).send().await;
    let open = |change: &&crate::change::Change| !world.cloud.view(&change.id).is_settled();
    let unsettled = world.changes.iter().filter(open).count();
    let status = ask(world, "provider").await?;
    let served = status["desired"]["digest"] == status["effective"]["digest"]
        && status["attempted"]["verdict"] == "applied";
    let sync = &status["sync"];
    let quiet = sync["unsettled"] == 0 && sync["undelivered"] == 0 && sync["failure"].is_null();
    match unsettled == 0 && served && quiet && status["last_good"]["failure"].is_null() {
        true => Ok(()),
        false => Err(format!("{unsettled} changes without a verdict; {status}")),
    }
}

/// What the verdicts on the changes of a pipeline say that is not so: served is the newest one that was applied, and
/// none was that cannot be.
async fn untrue(world: &World, pipeline: usize) -> Vec<String> {
    let of_pipeline = || world.changes.iter().filter(|change| change.pipeline == pipeline);
    let applied = |change: &&crate::change::Change| world.cloud.view(&change.id).status == Status::Applied;
    let mut wrong: Vec<String> = of_pipeline()
        .filter(|change| !change.good && applied(change))
        .map(|change| format!("a change that cannot be applied is said to be: {change:?}"))
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
        wrong.push(format!("p{pipeline}: served is {served:?}, applied {newest:?}; {verdicts:?}"));
    }
    wrong
}

/// The version of a pipeline that a request shows.
async fn version(world: &World, name: &str) -> Option<usize> {
    let url = format!("http://127.0.0.1:{}/{name}", world.port);
    let answer: Value = client().get(&url).send().await.ok()?.json().await.ok()?;
    answer["endpoint"].as_str()?.rsplit_once("_v")?.1.parse().ok()
}

/// Files that are not what is served.
async fn differing_files(world: &World) -> Vec<String> {
    let status = ask(world, "config/status").await.unwrap_or_default();
    let Some(files) = status["files"].as_array() else { return vec!["no files are served".to_owned()] };
    let differs = |file: &&Value| {
        let on_disk = fs::read(world.dir.path().join(file["name"].as_str().unwrap_or_default()));
        on_disk.ok().map(|bytes| sha256(&bytes)).as_deref() != file["sha256"].as_str()
    };
    files
        .iter()
        .filter(differs)
        .map(|file| format!("{} on the disk is not what is served", file["name"]))
        .collect()
}
