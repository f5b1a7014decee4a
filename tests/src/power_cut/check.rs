//! The checks of a recovered state: one true verdict for each change, whole files, and no lost edit by hand.

use std::collections::BTreeMap;
use std::path::Path;

use harmony_host::power_cut::RecoveredChange;

use super::disk::Tree;
use super::record::Recorded;
use crate::control_plane::Status;

/// Returns the problems of a state that was recovered to `after`. `told` has the status of each change at the control plane.
pub(super) fn problems(
    base: &Tree,
    changes: &[Recorded],
    told: &BTreeMap<String, Status>,
    journal: &[RecoveredChange],
    after: &Tree,
    state: &Path,
) -> Vec<String> {
    let mut problems = Vec::new();
    for change in changes {
        let entries: Vec<_> = journal.iter().filter(|entry| entry.id == change.id).collect();
        let content = after.get(&change.file).cloned().flatten();
        let (is_new, is_old) = (content.as_ref() == Some(&change.new), content == change.old);
        let mut problem = |what: String| problems.push(format!("{}: {what}", change.id));
        if !is_new && !is_old {
            problem("its file is neither the old nor the new one".to_owned());
        }
        let told = told.get(&change.id).copied().unwrap_or(Status::Pending);
        match (told, &entries[..]) {
            (_, [_, _, ..]) => problem("it is in the journal twice".to_owned()),
            (Status::Failed, _) => problem("the control plane was told that it failed".to_owned()),
            (Status::Applied, [entry]) if entry.verdict != Some(Ok(())) => {
                problem("it was told as applied, and is not in the journal".to_owned())
            }
            (Status::Applied, _) if !is_new => problem("it was told as applied, and is not live".to_owned()),
            (Status::Acknowledged, []) => problem("it is acknowledged and forgotten".to_owned()),
            (_, [RecoveredChange { verdict: Some(Err(reason)), .. }]) => {
                problem(format!("it is rejected: {reason}"))
            }
            (_, [RecoveredChange { verdict: Some(Ok(())), .. }]) if !is_new => {
                problem("it counts as applied, and is not live".to_owned())
            }
            (_, [] | [RecoveredChange { verdict: None, .. }]) if !is_old && told != Status::Applied => {
                problem("it is live, and counts as not tried".to_owned())
            }
            _ => {}
        }
    }
    let is_of_change = |path: &Path| changes.iter().any(|change| change.file == path);
    for (path, content) in base.iter().filter(|(path, _)| !path.starts_with(state) && !is_of_change(path)) {
        if after.get(path) != Some(content) {
            problems.push(format!("{} was changed", path.display()));
        }
    }
    // Temporary files beside the journal are swept when it is opened, under its lock.
    let journal_is_there = after.keys().any(|path| path.starts_with(state) && path.ends_with("journal"));
    for path in after.keys() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_new = !path.starts_with(state) && !base.contains_key(path) && !is_of_change(path);
        let is_temporary = name.starts_with(".harmony-") && (journal_is_there || !path.starts_with(state));
        if is_temporary || name.ends_with(".damaged") || is_new {
            problems.push(format!("{} was left behind", path.display()));
        }
    }
    problems
}
