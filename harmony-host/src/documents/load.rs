//! Loading of the configuration files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::Secret;

use crate::config::keys::secrets::known;
use crate::config::{Directory, Fragment};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::sensitive::Sensitive;
use crate::diagnostics::source::{Source, Spanned};
use crate::documents::edits::Edits;
use crate::documents::neighbours::{check_access, check_strays, is_secret};
use crate::documents::{Content, Document, Documents, directories, read};
use crate::storage::digest::Digest;

/// The files to read again.
#[derive(Clone, Debug)]
pub(crate) enum Touched {
    /// All files.
    Everything,
    /// The files with these absolute paths; all others are taken from the previous tree.
    Files(HashSet<PathBuf>),
}

/// A tree of files, with the problems of reading it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The tree; incomplete if there are errors.
    pub(crate) documents: Documents,
    /// The files that cannot be read, and the problems inside each file.
    pub(crate) problems: Problems,
}

/// The state of one pass over the files.
struct Loader<'a> {
    root: PathBuf,
    previous: Option<&'a Documents>,
    served: Option<&'a Documents>,
    touched: &'a Touched,
    proposed: Option<&'a Edits>,
    /// Saved files, read instead of the files on disk.
    saved: Option<&'a BTreeMap<String, String>>,
    files: BTreeMap<String, Arc<Document>>,
    problems: Problems,
}

impl Documents {
    /// Reads the configuration whose config.toml is at `config_path`. Blocks on the file system.
    ///
    /// A file of `previous`, the tree read last, is only read again if `touched` names it. A directory that has files
    /// in `served` and no longer exists is an error, never an empty configuration: it may be an unmounted volume.
    pub(crate) fn load(
        config_path: &Path,
        previous: Option<&Self>,
        served: Option<&Self>,
        touched: &Touched,
    ) -> Loaded {
        Self::load_with(config_path, previous, served, touched, None)
    }

    /// Reads the configuration as it would be with the proposed files in place.
    pub(crate) fn load_with(
        config_path: &Path,
        previous: Option<&Self>,
        served: Option<&Self>,
        touched: &Touched,
        proposed: Option<&Edits>,
    ) -> Loaded {
        let root = config_path.parent().map(Path::to_owned).unwrap_or_default();
        let loader = Loader {
            root,
            previous,
            served,
            touched,
            proposed,
            saved: None,
            files: BTreeMap::new(),
            problems: Problems::default(),
        };
        loader.load(config_path)
    }

    /// Reads a saved configuration, independent of the files on disk.
    pub(crate) fn from_saved(config_path: &Path, saved: &BTreeMap<String, String>) -> Loaded {
        let loader = Loader {
            root: config_path.parent().map(Path::to_owned).unwrap_or_default(),
            previous: None,
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
    /// Reads config.toml first: it names the directories.
    fn load(mut self, config_path: &Path) -> Loaded {
        let served = self.served;
        let name = config_path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        self.toml(&name, Fragment::gateway);
        if let Some([pipelines, mesh, transforms]) = self.files.get(&name).and_then(directories_of) {
            let previous = served.and_then(|served| served.files.get(&name)).and_then(directories_of);
            let all = [
                ("pipelines_path", pipelines.clone()),
                ("mesh_path", mesh.clone()),
                ("transforms_path", transforms.clone()),
            ];
            directories::check(&self.root, &all, &mut self.problems);
            let [old_pipelines, old_mesh, old_transforms] =
                previous.map_or_else(Default::default, |all| all.map(Some));
            let part = |loader: &mut Self, name: &str| loader.toml(name, Fragment::part);
            self.directory(&pipelines, old_pipelines, "toml", part);
            self.directory(&mesh, old_mesh, "toml", part);
            self.directory(&transforms, old_transforms, "json", Loader::transform);
        }
        self.key_files();
        let patterns = self.files.get(&name).and_then(|config| match &config.content {
            Content::Toml(fragment) => {
                Some(fragment.gateway.as_ref()?.proxy.sensitive_field_patterns.as_slice())
            }
            _ => None,
        });
        let sensitive = Arc::new(Sensitive::new(known, patterns.unwrap_or_default()));
        for file in self.files.values() {
            if let Content::Toml(fragment) = &file.content {
                fragment.source.set_sensitive(Arc::clone(&sensitive));
                self.problems.extend(&fragment.problems);
            }
        }
        if self.saved.is_none() {
            let proposed = |name: &str| self.proposed.is_some_and(|edits| edits.get(name).is_some());
            for (name, _) in self.files.iter().filter(|(name, file)| is_secret(file) && !proposed(name)) {
                check_access(&self.root, name, &mut self.problems);
            }
        }
        Loaded { documents: Documents::new(config_path.to_owned(), self.files), problems: self.problems }
    }

    /// Reads the files of a directory; `old` is the directory of the same role in the served configuration.
    fn directory(
        &mut self,
        directory: &Directory,
        old: Option<Directory>,
        extension: &str,
        mut add: impl FnMut(&mut Self, &str),
    ) {
        if self.saved.is_none() {
            check_strays(&self.root, &directory.path, extension, &mut self.problems);
        }
        let place = directory.configured.as_ref().map(|at| &at.place);
        let prefix = directory.below();
        let had_files = old.map(|old| old.below()).is_some_and(|old| {
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
            Ok(None) if had_files => {
                self.problems
                    .error(
                        place,
                        directory.path.clone(),
                        "there is no such directory, but the served configuration has files from it",
                    )
                    .help(
                        "the previous configuration stays in use; to remove the files, delete them and keep the directory",
                    );
            }
            Ok(None) if directory.configured.is_some() => {
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

    /// Returns the file of the previous tree, if it need not be read again.
    fn reusable(&self, name: &str) -> Option<Arc<Document>> {
        match self.touched {
            Touched::Everything => None,
            Touched::Files(_) if self.proposed.is_some_and(|edits| edits.get(name).is_some()) => None,
            Touched::Files(paths) if paths.contains(&self.root.join(name)) => None,
            Touched::Files(_) => self.previous?.files.get(name).cloned(),
        }
    }

    /// Reads a file. The document of the previous tree is shared if the bytes are the same.
    fn read(
        &mut self,
        name: &str,
        named_at: Option<&Spanned<String>>,
        parse: impl FnOnce(Vec<u8>) -> Result<Content, String>,
    ) {
        if let Some(known) = self.files.get(name) {
            if let (Some(at), false) = (named_at, matches!(known.content, Content::Pem(_))) {
                self.problems.error(
                    Some(&at.place),
                    name,
                    "this is a configuration file, not a key or certificate",
                );
            }
            return;
        }
        if let Some(same) = self.reusable(name) {
            self.files.insert(name.to_owned(), same);
            return;
        }
        let place = named_at.map(|at| &at.place);
        let proposed = self.proposed.and_then(|edits| edits.get(name));
        let bytes = match proposed.map_or_else(|| self.bytes(name), |text| Ok(text.into())) {
            Ok(bytes) => bytes,
            Err(e) => {
                self.problems.error(place, name, format!("the file cannot be read: {e}"));
                return;
            }
        };
        let digest = Digest::of(&bytes);
        if let Some(previous) = self.previous.and_then(|b| b.files.get(name)).filter(|b| b.digest == digest) {
            self.files.insert(name.to_owned(), Arc::clone(previous));
            return;
        }
        match parse(bytes) {
            Ok(content) => {
                self.files.insert(name.to_owned(), Arc::new(Document { digest, content }));
            }
            Err(message) => {
                self.problems.error(place, name, message);
            }
        }
    }

    /// Returns the bytes of a file, from disk or from the saved files.
    fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        match self.saved {
            None => read::stable(&self.root.join(name)),
            Some(saved) => saved.get(name).map(|text| text.clone().into_bytes()).ok_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, "the saved configuration does not have it")
            }),
        }
    }

    /// Returns the names of the files of a directory; `None` if there is no such directory.
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

    /// Reads the certificates and keys that the files read so far name.
    fn key_files(&mut self) {
        let mut named: Vec<Spanned<String>> = Vec::new();
        for file in self.files.values() {
            let Content::Toml(fragment) = &file.content else { continue };
            for network in fragment.gateway.iter().flat_map(|g| &g.networks) {
                if let Some(tls) = network.listen.as_ref().and_then(|listen| listen.tls.as_ref()) {
                    named.extend([tls.cert.clone(), tls.key.clone()]);
                }
            }
            let connections = fragment.backends.iter().map(|backend| &backend.connection);
            let targets = fragment.targets.iter().map(|target| &target.connection);
            named.extend(connections.chain(targets).filter_map(|connection| connection.ca_cert.clone()));
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

/// Returns the directories of pipelines, meshes and transforms that config.toml names.
fn directories_of(config: &Arc<Document>) -> Option<[Directory; 3]> {
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
    fn unchanged_files_are_shared() {
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
    fn a_vanished_directory_is_an_error() {
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
    fn unreadable_files_are_reported() {
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
