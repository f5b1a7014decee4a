//! The imports between the files of one crate.

use std::collections::{BTreeMap, BTreeSet};

use super::crate_tree::CrateTree;
use super::mention::Kind;
use super::module::FileId;
use super::report::Arrow;
use super::resolver::{Resolver, file_of, name_of};

/// The pairs of files of which the first imports the second, with the imported names.
#[derive(Debug, Default)]
pub(super) struct Imports(BTreeMap<(FileId, FileId), BTreeSet<String>>);

impl Imports {
    /// Resolves every path in the crate.
    ///
    /// A re-export of a name from a module below the file is not an import: the file of a folder lists the folder's
    /// interface. A re-export of any other name is an import.
    pub(super) fn of(tree: &CrateTree) -> Self {
        let mut imports = Self::default();
        let mut resolver = Resolver::new(tree);
        for id in tree.module_ids() {
            let module = tree.module(id);
            let from = module.file;
            for mention in &module.mentions {
                for target in resolver.targets(id, mention) {
                    let to = file_of(tree, &target);
                    let own = mention.kind == Kind::ReExport && tree.is_below(to, tree.file(from).module);
                    if from != to && !own {
                        imports.0.entry((from, to)).or_default().insert(name_of(tree, &target));
                    }
                }
            }
        }
        imports
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn remove(&mut self, pair: (FileId, FileId)) {
        self.0.remove(&pair);
    }

    /// Returns the pairs, in the order in which the files were read.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (FileId, FileId)> {
        self.0.keys().copied()
    }

    /// Returns the files that `file` imports.
    pub(super) fn from(&self, file: FileId) -> impl Iterator<Item = FileId> {
        let all = (file, FileId(0))..=(file, FileId(usize::MAX));
        self.0.range(all).map(|((_, to), _)| *to)
    }

    /// Returns a pair as the report shows it.
    pub(super) fn arrow(&self, tree: &CrateTree, (from, to): (FileId, FileId)) -> Arrow {
        Arrow {
            from: tree.file(from).name.clone(),
            to: tree.file(to).name.clone(),
            names: self.0.get(&(from, to)).cloned().unwrap_or_default(),
        }
    }
}
