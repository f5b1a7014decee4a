//! The import cycles between the files of a crate.

use std::collections::BTreeSet;

use super::crate_tree::CrateTree;
use super::imports::Imports;
use super::module::FileId;
use super::report::Violation;

/// Returns each strongly connected component of the import graph, with all its imports: files can be in several cycles,
/// and removing one cycle is then not enough.
pub(super) fn cycles(tree: &CrateTree, imports: &Imports) -> Vec<Violation> {
    let reached: Vec<BTreeSet<FileId>> = tree.file_ids().map(|file| reached(imports, file)).collect();
    let mut cycles = Vec::new();
    let mut known = BTreeSet::new();
    for file in tree.file_ids() {
        let members: BTreeSet<FileId> =
            reached[file.0].iter().copied().filter(|other| reached[other.0].contains(&file)).collect();
        if !members.is_empty() && known.insert(members.clone()) {
            cycles.push(cycle(tree, imports, &members));
        }
    }
    cycles
}

/// Returns the files that are reachable from `start` by one or more imports; `start` itself only if it is in a cycle.
fn reached(imports: &Imports, start: FileId) -> BTreeSet<FileId> {
    let mut reached = BTreeSet::new();
    let mut todo = vec![start];
    while let Some(next) = todo.pop() {
        todo.extend(imports.from(next).filter(|file| reached.insert(*file)));
    }
    reached
}

fn cycle(tree: &CrateTree, imports: &Imports, members: &BTreeSet<FileId>) -> Violation {
    let inside = |(from, to): &(FileId, FileId)| members.contains(from) && members.contains(to);
    Violation::Cycle {
        files: members.iter().map(|file| tree.file(*file).name.clone()).collect(),
        arrows: imports.pairs().filter(inside).map(|pair| imports.arrow(tree, pair)).collect(),
    }
}
