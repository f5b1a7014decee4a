use std::fs;
use std::path::Path;

use super::batch::Item;
use super::life::Life;
use crate::control_plane::{ControlPlane, Status};
use crate::traces::{files_below, sha256};

/// That each change has the verdict it deserves at the control plane.
pub(super) fn settled(cloud: &ControlPlane, items: &[Item]) -> Result<(), String> {
    let wrong = |item: &Item| {
        let view = cloud.view(&item.id);
        let wanted = if item.good { Status::Applied } else { Status::Failed };
        (view.status != wanted).then(|| {
            let reason = view.error_message.unwrap_or_default();
            format!("{} is {:?} and should be {wanted:?} {reason}", item.name, view.status)
        })
    };
    let wrong: Vec<String> = items.iter().filter_map(wrong).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// That nothing waits in the gateway, and what its files say is what it serves.
pub(super) async fn at_rest(admin: u16) -> Result<(), String> {
    let status = Life::ask(admin, "provider").await?;
    let served = status["desired"]["digest"] == status["effective"]["digest"]
        && status["attempted"]["verdict"] == "applied";
    let waits = &status["sync"];
    match served && waits["unsettled"] == 0 && waits["undelivered"] == 0 {
        true => Ok(()),
        false => Err(status.to_string()),
    }
}

/// Everything that is not as it must be once every change has its verdict.
pub(super) async fn wrong(cloud: &ControlPlane, items: &[Item], admin: u16, root: &Path) -> Vec<String> {
    let mut wrong: Vec<String> =
        cloud.violations().into_iter().map(|broken| format!("the protocol is broken: {broken}")).collect();
    for item in items {
        match item.is_live().await {
            Ok(live) if live == item.good => {}
            Ok(live) => wrong.push(format!(
                "{} is {:?} and a request shows {live}",
                item.name,
                cloud.view(&item.id).status
            )),
            Err(why) => wrong.push(why),
        }
        let told = |verdict: &str| cloud.count("POST", &format!("/harmony/change/{}/{verdict}", item.id));
        let (applied, failed) = (told("applied"), told("failed"));
        let once = match (item.good, item.patient) {
            (true, false) => failed == 0,
            (true, true) => true,
            (false, _) => applied == 0,
        };
        if !once {
            wrong.push(format!("{} was called applied {applied} times and failed {failed}", item.name));
        }
    }
    match files_differ(admin, root).await {
        Ok(differ) => wrong.extend(differ),
        Err(why) => wrong.push(why),
    }
    wrong
}

/// Which files are not what the gateway says it serves.
async fn files_differ(admin: u16, root: &Path) -> Result<Vec<String>, String> {
    let status = Life::ask(admin, "config/status").await?;
    let served: Vec<(String, String)> = status["files"]
        .as_array()
        .ok_or("no files are served")?
        .iter()
        .map(|file| [&file["name"], &file["sha256"]].map(|text| text.as_str().unwrap_or_default().to_owned()))
        .map(|[name, digest]| (name, digest))
        .collect();
    let mut differ: Vec<String> = served
        .iter()
        .filter(|(name, digest)| {
            fs::read(root.join(name)).ok().map(|bytes| sha256(&bytes)).as_ref() != Some(digest)
        })
        .map(|(name, _)| format!("{name} on the disk is not what is served"))
        .collect();
    let known = |path: &Path| {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        served.iter().any(|(served, _)| *served == name)
    };
    for directory in ["pipelines", "mesh", "transforms"] {
        let there = files_below(&root.join(directory)).into_iter().filter(|path| !known(path));
        differ.extend(there.map(|path| format!("{} is there and not served", path.display())));
    }
    Ok(differ)
}

/// Which changes went live more than once after they had been seen live.
pub(super) fn applied_twice(items: &[Item], log: &str) -> Vec<String> {
    let times = |item: &Item| {
        log.lines().filter(|line| line.contains("change applied") && line.contains(&item.id)).count()
    };
    let twice = items.iter().map(|item| (item.name, times(item))).filter(|(_, times)| *times > 1);
    twice.map(|(name, times)| format!("{name} was applied {times} times")).collect()
}
