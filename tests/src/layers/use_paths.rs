//! The paths in a `use`.

use syn::{ItemUse, UseTree, Visibility};

/// A path in a `use`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsePath {
    pub(super) path: Vec<String>,
    pub(super) end: End,
}

/// The end of a path in a `use`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The name that the `use` binds; `_` when it binds none.
    Name(String),
    /// A `*`.
    Glob,
}

/// Returns each path of a `use`. Excludes a `use` that begins with `::`, since it names another crate.
pub(super) fn use_paths(item: &ItemUse) -> Vec<UsePath> {
    let mut paths = Vec::new();
    if item.leading_colon.is_none() {
        collect(&item.tree, &mut Vec::new(), &mut paths);
    }
    paths
}

/// Returns whether other modules can see the names that the `use` binds. `pub(self)` is the same as private.
pub(super) fn is_re_export(item: &ItemUse) -> bool {
    match &item.vis {
        Visibility::Public(_) => true,
        Visibility::Restricted(restricted) => !restricted.path.is_ident("self"),
        Visibility::Inherited => false,
    }
}

fn collect(tree: &UseTree, prefix: &mut Vec<String>, paths: &mut Vec<UsePath>) {
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            collect(&path.tree, prefix, paths);
            prefix.pop();
        }
        UseTree::Name(name) => paths.push(named(prefix, &name.ident.to_string(), None)),
        UseTree::Rename(name) => {
            paths.push(named(prefix, &name.ident.to_string(), Some(name.rename.to_string())));
        }
        UseTree::Glob(_) => paths.push(UsePath { path: prefix.clone(), end: End::Glob }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, prefix, paths)),
    }
}

/// Returns the path to `name` below `prefix`; a `self` in braces is the prefix itself.
fn named(prefix: &[String], name: &str, rename: Option<String>) -> UsePath {
    let mut path = prefix.to_vec();
    if name != "self" || prefix.is_empty() {
        path.push(name.to_owned());
    }
    let bound = rename.or_else(|| path.last().cloned()).unwrap_or_default();
    UsePath { path, end: End::Name(bound) }
}
