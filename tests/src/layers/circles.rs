//! The circles among the files of a crate.

use std::collections::BTreeSet;

use super::crate_tree::CrateTree;
use super::imports::Imports;
use super::module::FileId;
use super::report::Violation;

/// Returns each largest set of files that all reach each other by imports, with every import among them: to cut one
/// circle is not enough when files are in several.
pub(super) fn circles(tree: &CrateTree, imports: &Imports) -> Vec<Violation> {
    let reached: Vec<BTreeSet<FileId>> = tree.file_ids().map(|file| reached(imports, file)).collect();
    let mut circles = Vec::new();
    let mut known = BTreeSet::new();
    for file in tree.file_ids() {
        let members: BTreeSet<FileId> =
            reached[file.0].iter().copied().filter(|other| reached[other.0].contains(&file)).collect();
        if !members.is_empty() && known.insert(members.clone()) {
            circles.push(circle(tree, imports, &members));
        }
    }
    circles
}

/// Returns the files that are reached from `start` by one import or more; `start` itself only through a circle.
fn reached(imports: &Imports, start: FileId) -> BTreeSet<FileId> {
    let mut reached = BTreeSet::new();
    let mut todo = vec![start];
    while let Some(next) = todo.pop() {
        todo.extend(imports.from(next).filter(|file| reached.insert(*file)));
    }
    reached
}

fn circle(tree: &CrateTree, imports: &Imports, members: &BTreeSet<FileId>) -> Violation {
    let inside = |(from, to): &(FileId, FileId)| members.contains(from) && members.contains(to);
    Violation::Circle {
        files: members.iter().map(|file| tree.file(*file).name.clone()).collect(),
        arrows: imports.pairs().filter(inside).map(|pair| imports.arrow(tree, pair)).collect(),
    }
}
