//! The checks after a crash run: verdicts, served routes, files on disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::batch::Item;
use super::gateway_run::GatewayRun;
use crate::control_plane::{ControlPlane, Status};
use crate::disk::{files_below, sha256};

/// Checks that the control plane has the expected verdict of each change.
pub(super) fn check_verdicts(cloud: &ControlPlane, items: &[Item]) -> Result<(), String> {
    let mismatch = |item: &Item| {
        let view = cloud.view(&item.id);
        let wanted = if item.valid { Status::Applied } else { Status::Failed };
        (view.status != wanted).then(|| {
            let reason = view.error_message.unwrap_or_default();
            format!("{} is {:?}, expected {wanted:?} {reason}", item.name, view.status)
        })
    };
    let mismatches: Vec<String> = items.iter().filter_map(mismatch).collect();
    if mismatches.is_empty() { Ok(()) } else { Err(mismatches.join("; ")) }
}

/// Checks that the gateway has no work left and serves what its files say.
pub(super) async fn check_idle(admin: u16) -> Result<(), String> {
    let status = GatewayRun::management(admin, "provider").await?;
    let served = status["desired"]["digest"] == status["effective"]["digest"]
        && status["attempted"]["verdict"] == "applied";
    let sync = &status["sync"];
    match served && sync["unsettled"] == 0 && sync["undelivered"] == 0 {
        true => Ok(()),
        false => Err(status.to_string()),
    }
}

/// Returns every problem found once all changes have a verdict.
pub(super) async fn problems(cloud: &ControlPlane, items: &[Item], admin: u16, root: &Path) -> Vec<String> {
    let mut problems: Vec<String> =
        cloud.violations().into_iter().map(|violation| format!("protocol violation: {violation}")).collect();
    for item in items {
        match item.is_live().await {
            Ok(live) if live == item.valid => {}
            Ok(live) => problems.push(format!(
                "{} is {:?}, but a request shows live = {live}",
                item.name,
                cloud.view(&item.id).status
            )),
            Err(error) => problems.push(error),
        }
        let reports = |verdict: &str| cloud.count("POST", &format!("/harmony/change/{}/{verdict}", item.id));
        let (applied, failed) = (reports("applied"), reports("failed"));
        let consistent = match (item.valid, item.may_fail_first) {
            (true, false) => failed == 0,
            (true, true) => true,
            (false, _) => applied == 0,
        };
        if !consistent {
            problems.push(format!(
                "{} was reported applied {applied} times and failed {failed} times",
                item.name
            ));
        }
    }
    match differing_files(admin, root).await {
        Ok(differences) => problems.extend(differences),
        Err(error) => problems.push(error),
    }
    problems
}

/// Returns the files on disk that differ from the files the gateway reports as served.
async fn differing_files(admin: u16, root: &Path) -> Result<Vec<String>, String> {
    let overlay = GatewayRun::management(admin, "provider").await?["overlay"]["directory"].clone();
    let overlay = overlay.as_str().map(PathBuf::from);
    let status = GatewayRun::management(admin, "config/status").await?;
    let served: Vec<(String, String)> = status["files"]
        .as_array()
        .ok_or("the status lists no files")?
        .iter()
        .map(|file| [&file["name"], &file["sha256"]].map(|text| text.as_str().unwrap_or_default().to_owned()))
        .map(|[name, digest]| (name, digest))
        .collect();
    let mut differences: Vec<String> = served
        .iter()
        .filter(|(name, digest)| {
            let overlaid = overlay.as_ref().map(|overlay| overlay.join(name)).filter(|path| path.exists());
            let path = overlaid.unwrap_or_else(|| root.join(name));
            fs::read(path).ok().map(|bytes| sha256(&bytes)).as_ref() != Some(digest)
        })
        .map(|(name, _)| format!("{name} on disk differs from the served file"))
        .collect();
    for root in [Some(root), overlay.as_deref()].into_iter().flatten() {
        let known = |path: &Path| {
            let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            served.iter().any(|(served, _)| *served == name)
        };
        for directory in ["pipelines", "mesh", "transforms"] {
            let unserved = files_below(&root.join(directory)).into_iter().filter(|path| !known(path));
            differences.extend(unserved.map(|path| format!("{} exists but is not served", path.display())));
        }
    }
    Ok(differences)
}

/// Returns the changes that the log reports as applied more than once.
pub(super) fn applied_twice(items: &[Item], log: &str) -> Vec<String> {
    let times = |item: &Item| {
        log.lines().filter(|line| line.contains("change applied") && line.contains(&item.id)).count()
    };
    let twice = items.iter().map(|item| (item.name, times(item))).filter(|(_, times)| *times > 1);
    twice.map(|(name, times)| format!("{name} was applied {times} times")).collect()
}
