//! The imports that violate the order of a crate's folders.

use std::collections::BTreeSet;

use super::crate_tree::CrateTree;
use super::imports::Imports;
use super::module::FileId;
use super::order::Order;
use super::report::Violation;

/// The place of a file in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a folder, at this height.
    At(usize),
    /// In no folder, such as lib.rs: it may import from every file.
    Alone,
    /// In a folder that is not in the order. Only the folder is reported, not each of its imports.
    Unknown,
}

/// An import that violates the order.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) pair: (FileId, FileId),
    /// Set if the imported file is in no folder, as opposed to a folder of a higher layer.
    from_alone: bool,
}

impl Broken {
    pub(super) fn violation(&self, tree: &CrateTree, imports: &Imports) -> Violation {
        let arrow = imports.arrow(tree, self.pair);
        if self.from_alone { Violation::FromAlone(arrow) } else { Violation::Upwards(arrow) }
    }
}

/// Returns the imports of the crate that violate the order.
pub(super) fn upwards(tree: &CrateTree, imports: &Imports, order: &Order) -> Vec<Broken> {
    let broken = |pair: (FileId, FileId)| match (place(tree, order, pair.0), place(tree, order, pair.1)) {
        (_, Place::Alone) => Some(Broken { pair, from_alone: true }),
        (Place::At(low), Place::At(high)) if low < high => Some(Broken { pair, from_alone: false }),
        _ => None,
    };
    imports.pairs().filter_map(broken).collect()
}

/// Returns the folders that the order does not have, and the folders of the order that do not exist.
pub(super) fn unplaced(tree: &CrateTree, order: &Order) -> Vec<Violation> {
    let shown = |folder: &str| format!("{}/{folder}", tree.src);
    let unplaced = tree.folders.iter().filter(|folder| order.height(folder).is_none());
    let there: BTreeSet<&str> = tree.file_ids().map(|file| folder(tree, file)).collect();
    let missing =
        order.folders.iter().filter(|folder| !there.contains(**folder) && !order.pending.contains(folder));
    let unplaced = unplaced.map(|folder| Violation::Unplaced { folder: shown(folder) });
    unplaced.chain(missing.map(|folder| Violation::Missing { folder: shown(folder) })).collect()
}

fn place(tree: &CrateTree, order: &Order, file: FileId) -> Place {
    let folder = folder(tree, file);
    match order.height(folder) {
        Some(height) => Place::At(height),
        None if tree.folders.contains(folder) => Place::Unknown,
        None => Place::Alone,
    }
}

/// Returns the folder of a file. The file `x.rs` beside the folder `x` belongs to that folder.
fn folder(tree: &CrateTree, file: FileId) -> &str {
    let path = tree.below_src(file);
    let first = path.split('/').next().unwrap_or(path);
    first.strip_suffix(".rs").unwrap_or(first)
}
