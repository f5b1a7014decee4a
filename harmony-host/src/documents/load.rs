use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::Secret;

use crate::config::{Directory, Fragment};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Source, Spanned};
use crate::documents::edits::Edits;
use crate::documents::{Content, Document, Documents, read};
use crate::storage::digest::Digest;

/// Which files have to be read again.
#[derive(Clone, Debug)]
pub(crate) enum Touched {
    /// All of them.
    Everything,
    /// These absolute paths; what else the tree before holds is taken from it.
    Files(HashSet<PathBuf>),
}

/// A tree, and what was wrong about reading it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The tree; incomplete when the problems refuse it.
    pub(crate) documents: Documents,
    /// Files that cannot be read, and everything that is wrong inside the files, each seen alone.
    pub(crate) problems: Problems,
}

struct Loader<'a> {
    root: PathBuf,
    before: Option<&'a Documents>,
    served: Option<&'a Documents>,
    touched: &'a Touched,
    proposed: Option<&'a Edits>,
    /// Saved files, read instead of those on the disk.
    saved: Option<&'a BTreeMap<String, String>>,
    files: BTreeMap<String, Arc<Document>>,
    problems: Problems,
}

impl Documents {
    /// Reads the configuration whose config.toml is at `config_path`. Blocks on the file system.
    ///
    /// A file that is in `before`, the tree read last, and was not touched is not read again. A directory that
    /// has files in `served` and is gone now is an error, never an empty configuration.
    pub(crate) fn load(
        config_path: &Path,
        before: Option<&Self>,
        served: Option<&Self>,
        touched: &Touched,
    ) -> Loaded {
        Self::load_with(config_path, before, served, touched, None)
    }

    /// Reads the configuration as it would be with the proposed files in place.
    pub(crate) fn load_with(
        config_path: &Path,
        before: Option<&Self>,
        served: Option<&Self>,
        touched: &Touched,
        proposed: Option<&Edits>,
    ) -> Loaded {
        let root = config_path.parent().map(Path::to_owned).unwrap_or_default();
        let loader = Loader {
            root,
            before,
            served,
            touched,
            proposed,
            saved: None,
            files: BTreeMap::new(),
            problems: Problems::default(),
        };
        loader.load(config_path)
    }

    /// Reads a saved configuration instead of the files on the disk.
    pub(crate) fn of_saved(config_path: &Path, saved: &BTreeMap<String, String>) -> Loaded {
        let loader = Loader {
            root: config_path.parent().map(Path::to_owned).unwrap_or_default(),
            before: None,
            served: None,
            touched: &Touched::Everything,
            proposed: None,
            saved: Some(saved),
            files: BTreeMap::new(),
            problems: Problems::default(),
        };
        loader.load(config_path)
    }
}

impl Loader<'_> {
    fn load(mut self, config_path: &Path) -> Loaded {
        let served = self.served;
        let name = config_path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        self.toml(&name, Fragment::gateway);
        if let Some([pipelines, mesh, transforms]) = self.files.get(&name).and_then(directories) {
            let before = served.and_then(|served| served.files.get(&name)).and_then(directories);
            let [old_pipelines, old_mesh, old_transforms] =
                before.map_or_else(Default::default, |all| all.map(Some));
            let part = |loader: &mut Self, name: &str| loader.toml(name, Fragment::part);
            self.directory(&pipelines, old_pipelines, "toml", part);
            self.directory(&mesh, old_mesh, "toml", part);
            self.directory(&transforms, old_transforms, "json", Loader::transform);
        }
        self.key_files();
        for file in self.files.values() {
            if let Content::Toml(fragment) = &file.content {
                self.problems.extend(&fragment.problems);
            }
        }
        Loaded { documents: Documents::new(config_path.to_owned(), self.files), problems: self.problems }
    }

    /// Reads the files of a directory; `old` is the directory that served files of the same role come from.
    fn directory(
        &mut self,
        directory: &Directory,
        old: Option<Directory>,
        extension: &str,
        mut add: impl FnMut(&mut Self, &str),
    ) {
        let place = directory.written.as_ref().map(|at| &at.place);
        let prefix = directory.below();
        let held = old.map(|old| old.below()).is_some_and(|old| {
            self.served.is_some_and(|served| served.files.keys().any(|name| name.starts_with(&old)))
        });
        let listed = self.list(directory, extension).map(|names| {
            let proposed: Vec<String> = self
                .proposed
                .into_iter()
                .flat_map(|edits| edits.below(&prefix, extension))
                .map(str::to_owned)
                .collect();
            match names {
                None if proposed.is_empty() => None,
                names => Some(names.into_iter().flatten().chain(proposed).collect::<BTreeSet<_>>()),
            }
        });
        match listed {
            Ok(Some(names)) => names.iter().for_each(|name| add(self, &format!("{prefix}{name}"))),
            Ok(None) if held => {
                self.problems
                    .error(
                        place,
                        directory.path.clone(),
                        "there is no such directory, and what is served came from one",
                    )
                    .help(
                        "what it held is served on; to remove it, leave the directory and delete the files",
                    );
            }
            Ok(None) if directory.written.is_some() => {
                self.problems.warn(
                    place,
                    directory.path.clone(),
                    "there is no such directory beside config.toml",
                );
            }
            Ok(None) => {}
            Err(e) => {
                self.problems.error(
                    place,
                    directory.path.clone(),
                    format!("the directory cannot be read: {e}"),
                );
            }
        }
    }

    /// The file as the tree before has it, when it need not be read again.
    fn untouched(&self, name: &str) -> Option<Arc<Document>> {
        match self.touched {
            Touched::Everything => None,
            Touched::Files(_) if self.proposed.is_some_and(|edits| edits.get(name).is_some()) => None,
            Touched::Files(paths) if paths.contains(&self.root.join(name)) => None,
            Touched::Files(_) => self.before?.files.get(name).cloned(),
        }
    }

    /// Reads a file; keeps the document of the tree before when the bytes are the same.
    fn read(
        &mut self,
        name: &str,
        written: Option<&Spanned<String>>,
        make: impl FnOnce(Vec<u8>) -> Result<Content, String>,
    ) {
        if let Some(known) = self.files.get(name) {
            if let (Some(at), false) = (written, matches!(known.content, Content::Pem(_))) {
                self.problems.error(
                    Some(&at.place),
                    name,
                    "this file is part of the configuration, no key or certificate",
                );
            }
            return;
        }
        if let Some(same) = self.untouched(name) {
            self.files.insert(name.to_owned(), same);
            return;
        }
        let place = written.map(|at| &at.place);
        let proposed = self.proposed.and_then(|edits| edits.get(name));
        let bytes = match proposed.map_or_else(|| self.bytes(name), |text| Ok(text.into())) {
            Ok(bytes) => bytes,
            Err(e) => {
                self.problems.error(place, name, format!("the file cannot be read: {e}"));
                return;
            }
        };
        let digest = Digest::of(&bytes);
        if let Some(before) = self.before.and_then(|b| b.files.get(name)).filter(|b| b.digest == digest) {
            self.files.insert(name.to_owned(), Arc::clone(before));
            return;
        }
        match make(bytes) {
            Ok(content) => {
                self.files.insert(name.to_owned(), Arc::new(Document { digest, content }));
            }
            Err(message) => {
                self.problems.error(place, name, message);
            }
        }
    }

    /// Returns the bytes of a file, from the disk or from the saved configuration.
    fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        match self.saved {
            None => read::stable(&self.root.join(name)),
            Some(saved) => saved.get(name).map(|text| text.clone().into_bytes()).ok_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, "it was not saved with the configuration")
            }),
        }
    }

    /// The names of the files of a directory; `None` when there is no such directory.
    fn list(&self, directory: &Directory, extension: &str) -> io::Result<Option<Vec<String>>> {
        let Some(saved) = self.saved else {
            return read::list(&self.root.join(&directory.path), extension);
        };
        let below = directory.below();
        let named = saved.keys().filter_map(|name| name.strip_prefix(&below)).filter(|rest| {
            !rest.contains('/') && Path::new(rest).extension().is_some_and(|e| e == extension)
        });
        Ok(Some(named.map(str::to_owned).collect()))
    }

    fn toml(&mut self, name: &str, parse: impl FnOnce(&Arc<Source>) -> Fragment) {
        self.read(name, None, |bytes| Ok(Content::Toml(Box::new(parse(&Source::new(name, utf8(bytes)?))))));
    }

    fn transform(&mut self, name: &str) {
        self.read(name, None, |bytes| {
            let text = utf8(bytes)?;
            serde_json::from_str::<serde::de::IgnoredAny>(&text)
                .map_err(|e| format!("this is not JSON: {e}"))?;
            Ok(Content::Transform(Source::new(name, text)))
        });
    }

    /// The certificates and keys that the files read so far name.
    fn key_files(&mut self) {
        let mut named: Vec<Spanned<String>> = Vec::new();
        for file in self.files.values() {
            let Content::Toml(fragment) = &file.content else { continue };
            for network in fragment.gateway.iter().flat_map(|g| &g.networks) {
                if let Some(tls) = network.listen.as_ref().and_then(|listen| listen.tls.as_ref()) {
                    named.extend([tls.cert.clone(), tls.key.clone()]);
                }
            }
            for mesh in fragment.meshes.iter().filter(|mesh| mesh.enabled) {
                named.extend(mesh.jwt_private_key_path.clone());
                named.extend(mesh.jwt_public_key_path.clone());
            }
        }
        for path in named {
            self.read(&path.value, Some(&path), |bytes| {
                utf8(bytes).map(|text| Content::Pem(Secret::new(text)))
            });
        }
    }
}

/// The directories of pipelines, meshes and transforms that config.toml names.
fn directories(config: &Arc<Document>) -> Option<[Directory; 3]> {
    let Content::Toml(fragment) = &config.content else { return None };
    let proxy = &fragment.gateway.as_ref()?.proxy;
    Some([proxy.pipelines_path.clone(), proxy.mesh_path.clone(), proxy.transforms_path.clone()])
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes)
        .map_err(|e| format!("this is not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "config.toml", "[proxy]\nid = \"a\"\npipelines_path = \"pipelines\"\n");
        write(dir.path(), "pipelines/one.toml", "[pipelines.one]\n");
        write(dir.path(), "pipelines/two.toml", "[pipelines.two]\n");
        write(dir.path(), "pipelines/.hidden.toml", "no toml at all");
        dir
    }

    #[test]
    fn an_edit_reads_what_was_touched_and_shares_the_rest() {
        let dir = tree();
        let config = dir.path().join("config.toml");
        let before = Documents::load(&config, None, None, &Touched::Everything);
        assert!(!before.problems.refuse(), "{:?}", before.problems);
        write(dir.path(), "pipelines/one.toml", "[pipelines.uno]\n");
        let touched = Touched::Files(HashSet::from([dir.path().join("pipelines/one.toml")]));
        let after = Documents::load(&config, Some(&before.documents), None, &touched).documents;
        assert_ne!(after.digest(), before.documents.digest());
        let same = |name: &str| Arc::ptr_eq(&after.files[name], &before.documents.files[name]);
        assert!(same("pipelines/two.toml") && same("config.toml") && !same("pipelines/one.toml"));
    }

    #[test]
    fn a_directory_that_vanishes_is_an_error_and_not_an_empty_configuration() {
        let dir = tree();
        let config = dir.path().join("config.toml");
        let before = Documents::load(&config, None, None, &Touched::Everything);
        fs::remove_dir_all(dir.path().join("pipelines")).unwrap();
        let after = Documents::load(&config, None, Some(&before.documents), &Touched::Everything);
        assert!(
            after.problems.errors().any(|p| p.message.contains("no such directory")),
            "{:?}",
            after.problems
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tree();
        write(
            dir.path(),
            "mesh/m.toml",
            "[mesh.m]\nprovider = \"local\"\njwt_public_key_path = \"keys/pub.pem\"\n",
        );
        fs::write(dir.path().join("pipelines/bad.toml"), [0xff, 0xfe]).unwrap();
        let loaded = Documents::load(&dir.path().join("config.toml"), None, None, &Touched::Everything);
        let errors: Vec<String> = loaded.problems.errors().map(ToString::to_string).collect();
        assert!(errors.iter().any(|e| e.contains("pipelines/bad.toml") && e.contains("UTF-8")), "{errors:?}");
        assert!(
            errors.iter().any(|e| e.contains("mesh/m.toml:3") && e.contains("keys/pub.pem")),
            "{errors:?}"
        );
    }
}
