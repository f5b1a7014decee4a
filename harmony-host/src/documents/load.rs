//! Loading of the configuration files.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Directory, Fragment};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source};
use crate::documents::edits::Edits;
use crate::documents::encoding::{self, NotText};
use crate::documents::findings::Findings;
use crate::documents::key_files::KeyFile;
use crate::documents::layers::{Layers, Listed};
use crate::documents::neighbours::{check_misnamed, check_strays};
use crate::documents::tree::{Unreadable, UnreadableFile};
use crate::documents::{Content, Document, Documents, directories};
use crate::storage::digest::Digest;
use crate::storage::io_error;

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
pub(super) struct Loader<'a> {
    pub(super) layers: &'a Layers,
    pub(super) previous: Option<&'a Documents>,
    served: Option<&'a Documents>,
    pub(super) touched: &'a Touched,
    pub(super) proposed: Option<&'a Edits>,
    /// Saved files, read instead of the files on disk.
    pub(super) saved: Option<&'a BTreeMap<String, String>>,
    pub(super) files: BTreeMap<String, Arc<Document>>,
    pub(super) unreadable: Unreadable,
    /// Set to do without the files that cannot be read.
    isolates: bool,
    /// The names of the files that were read again, if all others are those of the previous tree.
    pub(super) again: Option<BTreeSet<String>>,
    pub(super) findings: Findings,
    pub(super) problems: Problems,
}

impl Documents {
    /// Reads a configuration. Blocks on the file system.
    ///
    /// A file of `previous`, the tree read last, is only read again if `touched` names it, or if `previous` is not wholly what
    /// was on the disk. A directory that has files in `served` and no longer exists is an error, never an empty configuration:
    /// it may be an unmounted volume.
    pub(crate) fn load(
        layers: &Layers,
        previous: Option<&Self>,
        served: Option<&Self>,
        touched: &Touched,
    ) -> Loaded {
        let is_known = previous.is_some_and(Self::is_of_disk);
        let touched = if is_known { touched } else { &Touched::Everything };
        Loader::new(layers, previous, served, touched).load()
    }

    /// Reads the whole configuration for a change, without and with its files in place. A file that cannot be read is no
    /// problem of the change: the tree has the served version of it, or does without it.
    pub(crate) fn load_isolated(
        layers: &Layers,
        previous: Option<&Self>,
        served: Option<&Self>,
        proposed: Option<&Edits>,
    ) -> Loaded {
        let mut loader = Loader::new(layers, previous, served, &Touched::Everything);
        loader.proposed = proposed;
        loader.isolates = true;
        loader.load()
    }

    /// Reads a saved configuration, independent of the files on disk.
    pub(crate) fn from_saved(config_path: &Path, saved: &BTreeMap<String, String>) -> Loaded {
        let layers = Layers::base_only(config_path);
        let mut loader = Loader::new(&layers, None, None, &Touched::Everything);
        loader.saved = Some(saved);
        loader.load()
    }
}

impl<'a> Loader<'a> {
    fn new(
        layers: &'a Layers,
        previous: Option<&'a Documents>,
        served: Option<&'a Documents>,
        touched: &'a Touched,
    ) -> Self {
        Self {
            layers,
            previous,
            served,
            touched,
            proposed: None,
            saved: None,
            files: BTreeMap::new(),
            unreadable: Unreadable::default(),
            isolates: false,
            again: None,
            findings: Findings::default(),
            problems: Problems::default(),
        }
    }

    fn load(mut self) -> Loaded {
        let name = self.config_name();
        match self.edited(&name) {
            Some(edited) => self.read_again(&name, &edited),
            None => self.read_all(&name),
        }
        self.finish(&name)
    }

    fn config_name(&self) -> String {
        let name = self.layers.config_path().file_name();
        name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Reads config.toml and the files of the directories that it names.
    fn read_all(&mut self, name: &str) {
        let served = self.served;
        self.toml(name, Fragment::gateway);
        if let Some([pipelines, mesh, transforms]) = self.files.get(name).and_then(directories_of) {
            let previous = served.and_then(|served| served.files.get(name)).and_then(directories_of);
            let all = [
                ("pipelines_path", pipelines.clone()),
                ("mesh_path", mesh.clone()),
                ("transforms_path", transforms.clone()),
            ];
            directories::check(self.layers.config_path(), &all, &mut self.problems);
            if self.saved.is_none() {
                let named = [(&*pipelines.path, "toml"), (&*mesh.path, "toml"), (&*transforms.path, "json")];
                check_misnamed(self.layers.root(), named, &mut self.problems);
            }
            let [old_pipelines, old_mesh, old_transforms] =
                previous.map_or_else(Default::default, |all| all.map(Some));
            let part = |loader: &mut Self, name: &str| loader.toml(name, Fragment::part);
            self.directory(&pipelines, old_pipelines, "toml", part);
            self.directory(&mesh, old_mesh, "toml", part);
            self.directory(&transforms, old_transforms, "json", Loader::transform);
        }
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
            check_strays(self.layers.root(), &directory.path, extension, &mut self.problems);
        }
        let place = directory.configured.as_ref().map(|at| &at.place);
        let prefix = directory.below();
        let Listed { base, overlay } = match self.list(directory, extension) {
            Ok(listed) => listed,
            Err(e) => {
                let there = Digest::of(e.to_string().as_bytes());
                self.unreadable.directories.insert(directory.path.clone(), there);
                self.unreadable(place, &directory.path, &directory.path, "directory", &e);
                return;
            }
        };
        let proposed = self.proposed.into_iter().flat_map(|edits| edits.below(&prefix, extension));
        let others: BTreeSet<String> = overlay.into_iter().chain(proposed.map(str::to_owned)).collect();
        if base.is_none() && old.is_some_and(|old| self.has_lost(&old.below(), &others)) {
            let message = "there is no such directory, but the served configuration has files from it";
            self.problems.error(place, directory.path.clone(), message).help(
                "the previous configuration stays in use; to remove the files, delete them and keep the directory",
            );
            return;
        }
        if base.is_none() && others.is_empty() && directory.configured.is_some() {
            let message = "there is no such directory beside config.toml";
            self.problems.warn(place, directory.path.clone(), message);
        }
        let mut names: BTreeSet<String> = base.into_iter().flatten().chain(others).collect();
        if let Some(edits) = self.proposed {
            names.retain(|name| !edits.removes(&format!("{prefix}{name}")));
        }
        names.iter().for_each(|name| add(self, &format!("{prefix}{name}")));
    }

    /// Returns whether the served configuration has files of the base below `prefix` that are not among `others`.
    fn has_lost(&self, prefix: &str, others: &BTreeSet<String>) -> bool {
        let served = self.served.into_iter().flat_map(|served| &served.files);
        let mut base = served.filter(|(_, file)| file.overlay.is_none());
        base.any(|(name, _)| name.strip_prefix(prefix).is_some_and(|rest| !others.contains(rest)))
    }

    /// Returns the file of the previous tree, if it need not be read again.
    fn reusable(&self, name: &str) -> Option<Arc<Document>> {
        match self.touched {
            Touched::Everything => None,
            Touched::Files(_) if self.proposed.is_some_and(|edits| edits.get(name).is_some()) => None,
            Touched::Files(paths) if paths.contains(&self.layers.base_path(name)) => None,
            Touched::Files(paths)
                if self.layers.overlay_path(name).is_some_and(|path| paths.contains(&path)) =>
            {
                None
            }
            Touched::Files(_) => self.previous?.files.get(name).cloned(),
        }
    }

    /// Reads a file. The document of the previous tree is shared if the bytes are the same.
    pub(super) fn read(
        &mut self,
        name: &str,
        named_at: Option<&KeyFile>,
        parse: impl FnOnce(Vec<u8>, Option<Arc<Path>>) -> Result<Content, Unparsed>,
    ) {
        if let Some(known) = self.files.get(name) {
            if let (Some(at), false) = (named_at, matches!(known.content, Content::Pem(_))) {
                self.problems.error(
                    Some(&at.path.place),
                    &at.key,
                    "this is a configuration file, not a key or certificate",
                );
            }
            return;
        }
        if let Some(same) = self.reusable(name) {
            self.files.insert(name.to_owned(), same);
            return;
        }
        let place = named_at.map(|at| &at.path.place);
        let key = named_at.map_or(name, |at| &at.key);
        let (bytes, overlay) = match self.bytes(name) {
            Ok(read) => read,
            Err(e) => {
                let reason = io_error::explain(&e).0;
                let there = Digest::of(reason.as_bytes());
                if !self.isolated(name, named_at.is_some(), reason, there) {
                    self.unreadable(place, key, name, "file", &e);
                }
                return;
            }
        };
        let digest = Digest::of(&bytes);
        let same = |file: &&Arc<Document>| file.digest == digest && file.overlay == overlay;
        if let Some(previous) = self.previous.and_then(|b| b.files.get(name)).filter(same) {
            self.files.insert(name.to_owned(), Arc::clone(previous));
            return;
        }
        match parse(bytes, overlay.clone()) {
            Ok(content) => {
                self.files.insert(name.to_owned(), Arc::new(Document::new(digest, overlay, content)));
            }
            Err(unparsed) if self.isolated(name, named_at.is_some(), unparsed.reason(), digest) => {}
            Err(Unparsed::NotText(wrong)) => {
                // The text itself is not shown: its keys cannot be read, so its secrets cannot be found. The document of a
                // key file has no place, because the mistake may be the path.
                let at = wrong
                    .line
                    .filter(|_| place.is_none())
                    .map(|line| blank_line(name, overlay.clone(), line));
                let reason = match place {
                    Some(_) => format!("{name}: {}", wrong.reason),
                    None => wrong.reason,
                };
                self.problems.error(place.or(at.as_ref()), key, reason).help(wrong.remedy);
            }
            Err(Unparsed::NotJson(error)) => {
                // The position of the parser is in the message, but a tool reads the line of the place.
                let at = blank_line(name, overlay, error.line());
                self.problems.error(Some(&at), name, format!("this is not JSON: {error}"));
            }
        }
    }

    /// Notes a file that cannot be read. Returns whether that is no problem here: the tree then has its served version, or
    /// does without it. Not so config.toml, whose volume may not be mounted, nor a key that is not served: an edit or a change
    /// has named it, and the name may be the mistake.
    fn isolated(&mut self, name: &str, is_key: bool, reason: String, there: Digest) -> bool {
        let served = self.served.and_then(|served| served.files.get(name));
        let is_proposed = self.proposed.is_some_and(|edits| edits.get(name).is_some());
        let is_config = self.layers.base_path(name) == self.layers.config_path();
        let may_be_at_fault = is_proposed || is_config || is_key && served.is_none();
        let isolated = self.isolates && !may_be_at_fault;
        self.unreadable.files.insert(name.to_owned(), UnreadableFile { reason, there, isolated });
        if let Some(served) = served.filter(|_| isolated) {
            self.files.insert(name.to_owned(), Arc::clone(served));
        }
        isolated
    }

    /// Adds the error of a file or directory that cannot be read. A change is told no paths of this machine.
    fn unreadable(&mut self, place: Option<&Place>, key: &str, name: &str, what: &str, error: &io::Error) {
        let overlaid = self.layers.overlay_path(name).filter(|path| path.exists());
        let path = overlaid.unwrap_or_else(|| self.layers.base_path(name));
        let path = match self.proposed {
            Some(_) => name.to_owned(),
            None => std::path::absolute(&path).unwrap_or(path).display().to_string(),
        };
        let (reason, remedy) = io_error::explain(error);
        let entry = self.problems.error(place, key, format!("the {what} {path} cannot be read: {reason}"));
        entry.help(remedy.unwrap_or("put a readable file there, or correct the path"));
    }

    /// Returns the bytes of a file: the proposed ones, those on the disk, or the saved ones. Returns its path too, if it
    /// is in the overlay.
    fn bytes(&self, name: &str) -> io::Result<(Vec<u8>, Option<Arc<Path>>)> {
        if let Some((text, edits)) = self.proposed.and_then(|edits| Some((edits.get(name)?, edits))) {
            let overlay = self.layers.overlay_path(name).filter(|_| edits.is_overlaid(name));
            return Ok((text.into(), overlay.map(Arc::from)));
        }
        let Some(saved) = self.saved else { return self.layers.read(name) };
        let text = saved.get(name).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the saved configuration does not have it")
        });
        Ok((text?.clone().into_bytes(), None))
    }

    /// Returns the names of the files of a directory.
    fn list(&self, directory: &Directory, extension: &str) -> io::Result<Listed> {
        let Some(saved) = self.saved else { return self.layers.list(&directory.path, extension) };
        let below = directory.below();
        let named = saved.keys().filter_map(|name| name.strip_prefix(&below)).filter(|rest| {
            !rest.contains('/') && Path::new(rest).extension().is_some_and(|e| e == extension)
        });
        Ok(Listed { base: Some(named.map(str::to_owned).collect()), overlay: Vec::new() })
    }

    pub(super) fn toml(&mut self, name: &str, parse: impl FnOnce(&Arc<Source>) -> Fragment) {
        self.read(name, None, |bytes, overlay| {
            Ok(Content::Toml(Box::new(parse(&Source::in_layer(name, overlay, encoding::text(bytes)?)))))
        });
    }

    pub(super) fn transform(&mut self, name: &str) {
        self.read(name, None, |bytes, overlay| {
            let text = encoding::text(bytes)?;
            serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(Unparsed::NotJson)?;
            Ok(Content::Transform(Source::in_layer(name, overlay, text)))
        });
    }
}

/// Returns the directories of pipelines, meshes and transforms that config.toml names.
pub(super) fn directories_of(config: &Arc<Document>) -> Option<[Directory; 3]> {
    let Content::Toml(fragment) = &config.content else { return None };
    let proxy = &fragment.gateway.as_deref()?.proxy;
    Some([proxy.pipelines_path.clone(), proxy.mesh_path.clone(), proxy.transforms_path.clone()])
}

/// The reason for which the bytes of a file are no document.
pub(super) enum Unparsed {
    NotText(NotText),
    NotJson(serde_json::Error),
}

impl Unparsed {
    fn reason(&self) -> String {
        match self {
            Self::NotText(wrong) => wrong.reason.clone(),
            Self::NotJson(error) => format!("this is not JSON: {error}"),
        }
    }
}

impl From<NotText> for Unparsed {
    fn from(wrong: NotText) -> Self {
        Self::NotText(wrong)
    }
}

/// Returns the place of a line without its text, which may hold a secret that nothing can find.
fn blank_line(name: &str, overlay: Option<Arc<Path>>, line: usize) -> Place {
    let before = line.saturating_sub(1);
    Place::new(&Source::in_layer(name, overlay, "\n".repeat(before + 1)), before..before)
}

#[cfg(test)]
mod tests;
