//! A module of a crate: the names it binds and the paths it mentions.

use std::collections::BTreeMap;

use super::mention::Mention;

/// The place of a file in its crate's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) usize);

/// The place of a module in its crate's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ModuleId(pub(super) usize);

/// A module, a file's or one in braces.
#[derive(Debug)]
pub(super) struct Module {
    /// The last name of the module's path; `crate` for a root.
    pub(super) name: String,
    pub(super) parent: Option<ModuleId>,
    /// The module that `crate` means here.
    pub(super) root: ModuleId,
    pub(super) file: FileId,
    /// A name may be bound several times: a module and a function may share one, and so may two builds of an item
    /// under different conditions. Names in the bodies of functions are among them, for no path can lead to those
    /// from elsewhere.
    pub(super) names: BTreeMap<String, Vec<Binding>>,
    /// The paths before `::*`.
    pub(super) globs: Vec<Vec<String>>,
    pub(super) mentions: Vec<Mention>,
}

/// The thing that a name stands for in a module.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    Module(ModuleId),
    /// A definition, in this file. A macro that is exported is bound at the crate's root and defined elsewhere.
    Item(FileId),
    /// A `use` of this path.
    Use(Vec<String>),
}
