//! The files and modules of one crate.

use std::collections::BTreeSet;

use super::module::{FileId, Module, ModuleId};

/// The files and modules of a crate.
#[derive(Debug)]
pub(super) struct CrateTree {
    /// The directory of the sources as the report shows it: `harmony-host/src`.
    pub(super) src: String,
    pub(super) files: Vec<SourceFile>,
    pub(super) modules: Vec<Module>,
    /// The directories in `src`.
    pub(super) folders: BTreeSet<String>,
    /// The files in `src` that no `mod` declares.
    pub(super) strays: Vec<String>,
}

/// A file with a module in it.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The path as the report shows it.
    pub(super) name: String,
    /// The module of the file.
    pub(super) module: ModuleId,
}

impl CrateTree {
    pub(super) fn file_count(&self) -> usize {
        self.files.len()
    }

    pub(super) fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0]
    }

    pub(super) fn file_ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len()).map(FileId)
    }

    pub(super) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0]
    }

    pub(super) fn module_ids(&self) -> impl Iterator<Item = ModuleId> + use<> {
        (0..self.modules.len()).map(ModuleId)
    }

    /// Returns the files that are not checked because no `mod` declares them.
    pub(super) fn strays(&self) -> impl Iterator<Item = &str> {
        self.strays.iter().map(String::as_str)
    }

    /// Returns the path of a file below `src`.
    pub(super) fn below_src(&self, id: FileId) -> &str {
        let name = self.file(id).name.as_str();
        name.strip_prefix(self.src.as_str()).map_or(name, |rest| rest.trim_start_matches('/'))
    }

    /// Returns whether the module of `file` is `ancestor` or below it.
    pub(super) fn is_below(&self, file: FileId, ancestor: ModuleId) -> bool {
        let parents = std::iter::successors(Some(self.file(file).module), |id| self.module(*id).parent);
        parents.into_iter().any(|module| module == ancestor)
    }
}
