//! Running a scenario: recording it once, then recovering every state.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs;
use std::path::Path;

use harmony_host::power_cut::{audit_faults, recover};

use super::disk::{Disk, Tree};
use super::record::{Record, read, record};
use super::{check, states};

/// The changes that are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// One change that makes a file.
    Create,
    /// One change that replaces a file.
    Replace,
    /// Several changes at once that make files.
    CreateSeveral,
    /// Several changes at once that replace files.
    ReplaceSeveral,
}

/// The result of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The number of recorded operations.
    pub operations: usize,
    /// The number of different states that were recovered.
    pub states: usize,
    /// The problems, by their text, each with the number of states and the first one.
    pub problems: BTreeMap<String, (usize, String)>,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 4] = [Self::Create, Self::Replace, Self::CreateSeveral, Self::ReplaceSeveral];

    pub(super) fn changes(self) -> usize {
        match self {
            Self::Create | Self::Replace => 1,
            Self::CreateSeveral | Self::ReplaceSeveral => 4,
        }
    }

    pub(super) fn replaces(self) -> bool {
        matches!(self, Self::Replace | Self::ReplaceSeveral)
    }
}

/// Records a scenario and recovers the states of every prefix.
///
/// # Errors
/// The scenario cannot be recorded, or a state cannot be made.
pub async fn run(scenario: Scenario, seed: u64) -> Result<Outcome, String> {
    let Record { dir, base, operations, statuses, changes } = record(scenario).await?;
    let (root, state) = (dir.path(), dir.path().join("state"));
    let disk = Disk::new(&base, &operations);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut outcome = Outcome { operations: operations.len(), ..Outcome::default() };
    for (prefix, told) in statuses.iter().enumerate() {
        let mut tried: HashSet<Vec<u8>> = HashSet::new();
        for fates in states::states(&disk, prefix, &mut random) {
            let tree = disk.tree(prefix, &fates);
            if !tried.insert(format!("{tree:?}").into_bytes()) {
                continue;
            }
            write(root, &tree)?;
            outcome.states += 1;
            let faults = audit_faults(&dir.config(), &state);
            let mut found = match recover(&dir.config(), &state).await {
                Err(error) => vec![format!("the recovery failed: {error}")],
                Ok(journal) => check::problems(&base, &changes, told, &journal, &read(root)?, &state),
            };
            found.extend(faults.into_iter().map(|fault| format!("the audit log: {fault}")));
            for problem in found {
                let at = prefix.checked_sub(1).map(|at| format!("{:.160}", format!("{:?}", operations[at])));
                let mut lost: Vec<_> =
                    fates.iter().filter(|(_, fate)| **fate != super::disk::Fate::Kept).collect();
                lost.sort_by_key(|(at, _)| **at);
                let first = format!("after {prefix} ({}), lost {lost:?}", at.unwrap_or_default());
                outcome.problems.entry(problem).or_insert((0, first)).0 += 1;
            }
        }
    }
    Ok(outcome)
}

/// Makes the tree below `root` equal to `tree`.
fn write(root: &Path, tree: &Tree) -> Result<(), String> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| format!("{}: {error}", path.display())
    };
    for entry in fs::read_dir(root).map_err(failed(root))? {
        let path = entry.map_err(failed(root))?.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(failed(&path))?;
    }
    for (path, content) in tree {
        match content {
            None => fs::create_dir_all(path).map_err(failed(path))?,
            Some(content) => fs::write(path, content).map_err(failed(path))?,
        }
    }
    Ok(())
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::CreateSeveral => "create-several",
            Self::ReplaceSeveral => "replace-several",
        })
    }
}
