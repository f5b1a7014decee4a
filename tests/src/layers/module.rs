//! A module of a crate: the names that it binds and the paths that it contains.

use std::collections::BTreeMap;

use super::mention::Mention;

/// The index of a file in the list of its crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) usize);

/// The index of a module in the list of its crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ModuleId(pub(super) usize);

/// A module: a file, or a `mod` with braces.
#[derive(Debug)]
pub(super) struct Module {
    /// The last name of the module's path; `crate` for a root.
    pub(super) name: String,
    pub(super) parent: Option<ModuleId>,
    /// The module that `crate` refers to.
    pub(super) root: ModuleId,
    pub(super) file: FileId,
    /// A name can have several bindings: a module and a function can share a name, and so can two definitions of an item
    /// under different `cfg` conditions. Names in function bodies are included, which is harmless: no path from another
    /// file can reach them.
    pub(super) names: BTreeMap<String, Vec<Binding>>,
    /// The paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
    pub(super) mentions: Vec<Mention>,
}

/// The meaning of a name in a module.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    Module(ModuleId),
    /// An item that this file defines. An exported macro is bound in the root module, and another file may define it.
    Item(FileId),
    /// A `use` of this path.
    Use(Vec<String>),
}
