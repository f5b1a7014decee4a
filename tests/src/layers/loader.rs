//! Reading of a crate: from its root files through every `mod`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Item, ItemMod};

use super::crate_tree::{CrateTree, SourceFile};
use super::error::Error;
use super::module::{Binding, FileId, Module, ModuleId};
use super::module_reader::ModuleReader;
use super::rust_files::{rust_files, shown};
use super::test_only::test_only;

/// The root files of a crate: of the library and of the program.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// Reads the crate in `root/name`.
///
/// # Errors
/// A file cannot be read or parsed, or is missing.
pub(super) fn load(root: &Path, name: &str) -> Result<CrateTree, Error> {
    let src = root.join(name).join("src");
    let tree = CrateTree {
        src: shown(root, &src),
        files: Vec::new(),
        modules: Vec::new(),
        folders: BTreeSet::new(),
        strays: Vec::new(),
    };
    let mut loader = Loader { root, tree, test_only: BTreeSet::new() };
    let all = rust_files(&src)?;
    for path in ROOTS.iter().map(|name| src.join(name)).filter(|path| all.contains(path)) {
        let place = Place { name: "crate".to_owned(), parent: None, directory: src.clone() };
        loader.read_file(&path, place)?;
    }
    if loader.tree.files.is_empty() {
        return Err(Error::no_root(&src));
    }
    loader.note_surroundings(&src, &all);
    Ok(loader.tree)
}

struct Loader<'a> {
    root: &'a Path,
    tree: CrateTree,
    /// The files and directories of modules that only tests use.
    test_only: BTreeSet<PathBuf>,
}

/// The place of a module in its crate.
struct Place {
    name: String,
    parent: Option<ModuleId>,
    /// The directory with the files of its child modules.
    directory: PathBuf,
}

impl Loader<'_> {
    fn read_file(&mut self, path: &Path, place: Place) -> Result<Option<ModuleId>, Error> {
        let text = fs::read_to_string(path).map_err(|error| Error::unreadable(path, error))?;
        let syntax = syn::parse_file(&text).map_err(|error| Error::unparsable(path, error))?;
        if test_only(&syntax.attrs) {
            self.leave_out(&place.directory);
            return Ok(None);
        }
        let file = FileId(self.tree.files.len());
        let module = ModuleId(self.tree.modules.len());
        self.tree.files.push(SourceFile { name: shown(self.root, path), module });
        self.read_module(&syntax.items, file, place).map(Some)
    }

    fn read_module(&mut self, items: &[Item], file: FileId, place: Place) -> Result<ModuleId, Error> {
        let id = ModuleId(self.tree.modules.len());
        let root = place.parent.map_or(id, |parent| self.tree.module(parent).root);
        let read = ModuleReader::read(items);
        self.tree.modules.push(Module {
            name: place.name,
            parent: place.parent,
            root,
            file,
            names: Default::default(),
            globs: read.globs,
            mentions: read.mentions,
        });
        read.items.into_iter().for_each(|name| self.bind(id, name, Binding::Item(file)));
        read.exported.into_iter().for_each(|name| self.bind(root, name, Binding::Item(file)));
        read.uses.into_iter().for_each(|(name, path)| self.bind(id, name, Binding::Use(path)));
        read.test_children.iter().for_each(|name| self.leave_out(&place.directory.join(name)));
        for child in read.children {
            self.read_child(child, file, id, &place.directory)?;
        }
        Ok(id)
    }

    fn read_child(
        &mut self,
        child: &ItemMod,
        file: FileId,
        parent: ModuleId,
        directory: &Path,
    ) -> Result<(), Error> {
        let name = child.ident.to_string();
        let directory = directory.join(&name);
        let place = Place { name: name.clone(), parent: Some(parent), directory: directory.clone() };
        let module = if let Some((_, items)) = &child.content {
            Some(self.read_module(items, file, place)?)
        } else {
            let declared_in = self.tree.file(file).name.clone();
            if child.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
                return Err(Error::path_attribute(&self.root.join(declared_in), &name));
            }
            let path = directory.with_extension("rs");
            if !path.is_file() {
                return Err(Error::no_file(&path, &declared_in));
            }
            self.read_file(&path, place)?
        };
        if let Some(module) = module {
            self.bind(parent, name, Binding::Module(module));
        }
        Ok(())
    }

    fn bind(&mut self, module: ModuleId, name: String, binding: Binding) {
        self.tree.modules[module.0].names.entry(name).or_default().push(binding);
    }

    /// Excludes the module whose child modules are in `directory`.
    fn leave_out(&mut self, directory: &Path) {
        self.test_only.insert(directory.with_extension("rs"));
        self.test_only.insert(directory.to_owned());
    }

    /// Records the folders of the crate, and the files that no `mod` declares.
    fn note_surroundings(&mut self, src: &Path, all: &[PathBuf]) {
        for path in all {
            let below = path.strip_prefix(src).unwrap_or(path);
            if let Some(folder) = below.parent().and_then(|parent| parent.iter().next()) {
                self.tree.folders.insert(folder.to_string_lossy().into_owned());
            }
            let name = shown(self.root, path);
            let read = self.tree.files.iter().any(|file| file.name == name);
            if !read && !path.ancestors().any(|part| self.test_only.contains(part)) {
                self.tree.strays.push(name);
            }
        }
    }
}
