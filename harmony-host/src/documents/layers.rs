//! The two layers of a configuration on disk: the base files in the directory of config.toml, and the overlay.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::documents::edits::Edits;
use crate::documents::overlay::{Overlay, ReadOnly, Write, inside, read_only};
use crate::documents::read;
use crate::storage::digest::{Digest, full};
use crate::storage::io_error::explain;
use crate::storage::{atomic_file, exchange};

/// The layers of one configuration. A cheap handle.
///
/// A file is read from the overlay if the overlay has it and its base is unchanged since; otherwise from the base. So an
/// operator's edit of the base is newer than the overlay, as an edit of a file that a change wrote is newer than the
/// change.
#[derive(Clone, Debug)]
pub(crate) struct Layers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config_path: PathBuf,
    root: PathBuf,
    /// `None` for files that no change writes.
    overlay: Option<Overlay>,
    /// The paths of the base that could not be written when that was examined last.
    read_only: Mutex<Vec<ReadOnly>>,
    /// The files that could not be replaced although their directory can be written.
    stuck: Mutex<Vec<ReadOnly>>,
}

/// The layer that a file is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Base,
    /// In the overlay, at this path.
    Overlay(PathBuf),
    /// In the overlay at this path, and not read: the base is newer.
    Displaced(PathBuf),
}

/// The names of the files of one directory, by layer.
pub(super) struct Listed {
    /// `None` if the base has no such directory.
    pub(super) base: Option<Vec<String>>,
    pub(super) overlay: Vec<String>,
}

impl Layers {
    /// Creates the layers of a configuration without an overlay.
    pub(crate) fn base_only(config_path: &Path) -> Self {
        Self::new(config_path, None)
    }

    /// Opens the layers of the configuration at `config_path`. Changes nothing on the disk.
    pub(crate) fn open(state: &Path, config_path: &Path) -> Self {
        Self::new(config_path, Some(Overlay::open(Overlay::directory(state, config_path))))
    }

    fn new(config_path: &Path, overlay: Option<Overlay>) -> Self {
        let root = config_path.parent().map(Path::to_owned).unwrap_or_default();
        let (config_path, read_only) = (config_path.to_owned(), Mutex::default());
        Self(Arc::new(Inner { config_path, root, overlay, read_only, stuck: Mutex::default() }))
    }

    /// Returns the path of config.toml in the base.
    pub(crate) fn config_path(&self) -> &Path {
        &self.0.config_path
    }

    /// Returns the directory of config.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.0.root
    }

    /// Examines if files can be written at these paths. Writes to the disk for it, so it is not done at every poll.
    pub(super) fn examine(&self, paths: impl Iterator<Item = PathBuf>) {
        let mut found: Vec<ReadOnly> = Vec::new();
        for path in paths {
            let known = |new: &ReadOnly| found.iter().any(|known| new.path.starts_with(&known.path));
            found.extend(read_only(&path).filter(|new| !known(new)));
        }
        *self.0.read_only.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Returns the paths of the base that could not be written when that was examined last.
    pub(super) fn read_only(&self) -> Vec<ReadOnly> {
        let mut all = self.0.read_only.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let stuck = self.0.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(
            stuck
                .iter()
                .filter(|stuck| !all.iter().any(|known| known.path == stuck.path))
                .cloned()
                .collect::<Vec<_>>(),
        );
        all
    }

    /// Notes that a file cannot be replaced, if that is what `error` says: it is mounted by itself, where the table of mounts
    /// does not show it, or it has the attribute that nobody may replace it. Returns whether it is written to the overlay
    /// from now on.
    pub(crate) fn found_stuck(&self, name: &str, error: &io::Error) -> bool {
        /// "Operation not permitted".
        const EPERM: i32 = 1;
        let is_stuck = error.kind() == io::ErrorKind::ResourceBusy || error.raw_os_error() == Some(EPERM);
        if !is_stuck || self.is_stuck(name) || self.overlay_path(name).is_none() {
            return false;
        }
        let stuck = ReadOnly { path: self.base_path(name), reason: explain(error).0 };
        self.0.stuck.lock().unwrap_or_else(PoisonError::into_inner).push(stuck);
        true
    }

    fn is_stuck(&self, name: &str) -> bool {
        let stuck = self.0.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.iter().any(|stuck| stuck.path == self.base_path(name))
    }

    pub(super) fn overlay(&self) -> Option<&Overlay> {
        self.0.overlay.as_ref()
    }

    /// Returns the path of a file in the base.
    pub(crate) fn base_path(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    /// Returns the path that a file has in the overlay; `None` for a name that the overlay never holds.
    pub(crate) fn overlay_path(&self, name: &str) -> Option<PathBuf> {
        self.overlay()?.path(&self.inside(name)?)
    }

    /// Returns the name of a file relative to the directory of config.toml, in the form of the overlay.
    pub(super) fn inside(&self, name: &str) -> Option<String> {
        inside(&self.0.root, name)
    }

    /// Returns the layer that a file is read from.
    pub(super) fn state(&self, name: &str) -> State {
        let Some((overlay, inside)) = self.overlay().zip(self.inside(name)) else { return State::Base };
        let Some(path) = overlay.existing(&inside) else { return State::Base };
        let Some(base) = overlay.base_of(&inside) else { return State::Overlay(path) };
        // A base that cannot be read is no newer one.
        match self.base_digest(name) {
            Ok(now) if now != base => State::Displaced(path),
            _ => State::Overlay(path),
        }
    }

    /// Returns whether a file is read from the overlay.
    pub(crate) fn is_overlaid(&self, name: &str) -> bool {
        matches!(self.state(name), State::Overlay(_))
    }

    /// Returns the SHA-256 of a file in the base, in hexadecimal; `None` if there is none.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn base_digest(&self, name: &str) -> io::Result<Option<String>> {
        let bytes = existing(read::stable(&self.base_path(name)))?;
        Ok(bytes.map(|bytes| full(Digest::of(&bytes))))
    }

    /// Reads a file. Returns its path too, if it is in the overlay.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn read(&self, name: &str) -> io::Result<(Vec<u8>, Option<Arc<Path>>)> {
        match self.state(name) {
            State::Overlay(path) => {
                let with_path = |e: io::Error| io::Error::new(e.kind(), format!("{e} ({})", path.display()));
                Ok((read::stable(&path).map_err(with_path)?, Some(Arc::from(path))))
            }
            State::Base | State::Displaced(_) => Ok((read::stable(&self.base_path(name))?, None)),
        }
    }

    /// Reads a file as it is now; `None` if there is none.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn current(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        existing(self.read(name).map(|(bytes, _)| bytes))
    }

    /// Returns the names of the files with an extension, directly in a directory.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn list(&self, directory: &str, extension: &str) -> io::Result<Listed> {
        let base = read::list(&self.base_path(directory), extension)?;
        let above = self.overlay_path(directory).map_or(Ok(None), |path| read::list(&path, extension))?;
        let mut overlay = above.unwrap_or_default();
        overlay.retain(|name| self.is_overlaid(&format!("{}/{name}", directory.trim_end_matches('/'))));
        Ok(Listed { base, overlay })
    }

    /// Decides for each file of a proposal which layer it is written to: the overlay, if the file is there already or
    /// the base cannot be written.
    pub(crate) fn place(&self, edits: &mut Edits) {
        let names: Vec<String> = edits.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names.into_iter().filter(|name| self.overlay_path(name).is_some()) {
            if self.is_overlaid(&name) || self.is_stuck(&name) || read_only(&self.base_path(&name)).is_some()
            {
                edits.overlay(name);
            }
        }
    }

    /// Records, durably, what a change is about to write into the overlay, with the checksum of the base of each file.
    ///
    /// # Errors
    /// The error of the operating system; the files must then not be written.
    pub(crate) fn record<'n>(
        &self,
        writes: impl Iterator<Item = (&'n str, Option<String>, Write)>,
    ) -> io::Result<()> {
        let Some(overlay) = self.overlay() else { return Ok(()) };
        let writes = writes.filter_map(|(name, base, write)| Some((self.inside(name)?, base, write)));
        let writes: Vec<_> = writes.collect();
        if writes.is_empty() { Ok(()) } else { overlay.record(writes) }
    }

    /// Returns the directories and files of the overlay that are watched for edits, together with those of the base.
    pub(crate) fn watched(&self) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
        let Some(overlay) = self.overlay() else { return Default::default() };
        let files: BTreeSet<PathBuf> =
            overlay.names().iter().filter_map(|inside| overlay.path(inside)).collect();
        let directories = files.iter().filter_map(|file| file.parent()).map(Path::to_owned);
        (directories.chain([overlay.files()]).collect(), files)
    }

    /// Returns the files that writes moved away beside the files, each with the name of its file.
    pub(crate) fn left_by_writes<'d>(
        &self,
        directories: impl Iterator<Item = &'d str>,
    ) -> Vec<(PathBuf, String)> {
        let base = directories.map(|directory| self.base_path(directory));
        let overlay = self.watched().0;
        let all: BTreeSet<PathBuf> = base.chain([self.root().to_owned()]).chain(overlay).collect();
        all.iter().flat_map(|directory| exchange::left_in(directory)).collect()
    }

    /// Removes the temporary files that killed processes left beside the files.
    pub(crate) fn sweep<'d>(&self, directories: impl Iterator<Item = &'d str>) {
        atomic_file::sweep(self.root());
        directories.for_each(|directory| atomic_file::sweep(&self.base_path(directory)));
        if let Some(overlay) = self.overlay() {
            overlay.sweep();
        }
    }
}

/// Converts the error of a file that does not exist.
fn existing(read: io::Result<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
