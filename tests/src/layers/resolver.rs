//! Resolution of a path, through every re-export, to the file that defines its target.

use super::crate_tree::CrateTree;
use super::mention::{Kind, Mention};
use super::module::{Binding, FileId, Module, ModuleId};

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Module(ModuleId),
    /// An item, with the name of its definition. A name without a definition counts as an item of the last module of the
    /// path: a macro may define it there, or the module re-exports a name of another crate.
    Item(FileId, String),
}

/// Resolves paths in one crate.
pub(super) struct Resolver<'a> {
    tree: &'a CrateTree,
    /// The `use` declarations that are being resolved, by module and path, so that two that name each other do not recurse
    /// forever.
    following: Vec<(ModuleId, &'a [String])>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(tree: &'a CrateTree) -> Self {
        Self { tree, following: Vec::new() }
    }

    /// Returns the targets of `mention` in the module `from`; none if they are in another crate.
    pub(super) fn targets(&mut self, from: ModuleId, mention: &'a Mention) -> Vec<Target> {
        let targets = self.resolve(from, &mention.path);
        if mention.kind != Kind::Code {
            return targets;
        }
        let is_item = |target: &Target| matches!(target, Target::Item(..));
        if targets.iter().any(is_item) {
            return targets.into_iter().filter(is_item).collect();
        }
        // A single name is a variable, even if a module has the same name. `self` or `super::super` alone is only the
        // beginning of a path.
        let named = mention.path.iter().filter(|name| !is_keyword(name)).count();
        if named > 0 && mention.path.len() > 1 { targets } else { Vec::new() }
    }

    fn resolve(&mut self, from: ModuleId, path: &'a [String]) -> Vec<Target> {
        let mut rest = path;
        let mut start = from;
        while let [first, after @ ..] = rest {
            let module = self.tree.module(start);
            start = match first.as_str() {
                "crate" => module.root,
                "super" => module.parent.unwrap_or(module.root),
                "self" => start,
                _ => break,
            };
            rest = after;
        }
        match rest {
            [] => vec![Target::Module(start)],
            // A name without a binding here is the name of a crate, or is built into the language.
            [first, ..] if rest.len() == path.len() && self.look_up(start, first).is_empty() => Vec::new(),
            _ => self.descend(start, rest),
        }
    }

    /// Resolves a path relative to a module.
    fn descend(&mut self, start: ModuleId, path: &'a [String]) -> Vec<Target> {
        let [name, rest @ ..] = path else {
            return vec![Target::Module(start)];
        };
        let found = self.look_up(start, name);
        if found.is_empty() {
            return vec![Target::Item(self.tree.module(start).file, name.clone())];
        }
        if rest.is_empty() {
            return found;
        }
        let modules: Vec<ModuleId> = found
            .iter()
            .filter_map(|target| if let Target::Module(id) = target { Some(*id) } else { None })
            .collect();
        // If no module is found, the rest of the path is a variant or a function of a type, in the file of the type.
        if modules.is_empty() {
            return found;
        }
        modules.into_iter().flat_map(|module| self.descend(module, rest)).collect()
    }

    /// Returns the targets of a name in a module. Bindings in the module have precedence over glob imports.
    fn look_up(&mut self, id: ModuleId, name: &str) -> Vec<Target> {
        let module = self.tree.module(id);
        match module.names.get(name) {
            Some(bindings) => bindings.iter().flat_map(|binding| self.follow(id, name, binding)).collect(),
            None => module.globs.iter().flat_map(|glob| self.look_up_in_glob(id, glob, name)).collect(),
        }
    }

    fn follow(&mut self, id: ModuleId, name: &str, binding: &'a Binding) -> Vec<Target> {
        match binding {
            Binding::Module(module) => vec![Target::Module(*module)],
            Binding::Item(file) => vec![Target::Item(*file, name.to_owned())],
            Binding::Use(path) => {
                let Some(targets) = self.once(id, path, |this| this.resolve(id, path)) else {
                    return Vec::new();
                };
                if targets.is_empty() {
                    return vec![Target::Item(self.tree.module(id).file, name.to_owned())];
                }
                targets
            }
        }
    }

    fn look_up_in_glob(&mut self, id: ModuleId, glob: &'a [String], name: &str) -> Vec<Target> {
        let found = self.once(id, glob, |this| {
            let mut found = Vec::new();
            for target in this.resolve(id, glob) {
                if let Target::Module(module) = target {
                    found.extend(this.look_up(module, name));
                }
            }
            found
        });
        found.unwrap_or_default()
    }

    /// Calls `follow` for a `use`, unless that `use` is being resolved already.
    fn once<T>(
        &mut self,
        id: ModuleId,
        path: &'a [String],
        follow: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        // The address distinguishes two equal paths of one module. It does not change while the tree is borrowed.
        let same =
            |(module, followed): &(ModuleId, &[String])| *module == id && std::ptr::eq(*followed, path);
        if self.following.iter().any(same) {
            return None;
        }
        self.following.push((id, path));
        let outcome = follow(self);
        self.following.pop();
        Some(outcome)
    }
}

/// Returns the file of a target.
pub(super) fn file_of(tree: &CrateTree, target: &Target) -> FileId {
    match target {
        Target::Module(id) => tree.module(*id).file,
        Target::Item(file, _) => *file,
    }
}

/// Returns the name of a target as the report shows it.
pub(super) fn name_of(tree: &CrateTree, target: &Target) -> String {
    match target {
        Target::Module(id) => {
            let Module { name, .. } = tree.module(*id);
            format!("the module {name}")
        }
        Target::Item(_, name) => name.clone(),
    }
}

fn is_keyword(name: &str) -> bool {
    matches!(name, "crate" | "self" | "super")
}
