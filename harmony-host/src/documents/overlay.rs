//! The overlay: the files of a configuration that a change wrote while the directory of config.toml was read-only.

mod record;
mod writable;

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::storage::digest::{Digest, full};
use crate::storage::{atomic_file, replaced};

use record::Record;
pub(crate) use record::{Displaced, Write};
pub(crate) use writable::{ReadOnly, read_only};

/// The overlay of one configuration, in the state directory: the files, and a record of what each of them stands for.
///
/// A file of the overlay has the name that the file of the base has, relative to the directory of config.toml. It is read
/// instead of that file for as long as the base is the one that it was written over.
#[derive(Debug)]
pub(crate) struct Overlay {
    directory: PathBuf,
    record: Mutex<Record>,
}

impl Overlay {
    /// Returns the directory of the overlay. It belongs to one configuration, as the record of the origins does.
    pub(crate) fn directory(state: &Path, config_path: &Path) -> PathBuf {
        let digest = Digest::of(config_path.as_os_str().as_encoded_bytes());
        state.join("harmony").join("overlay").join(full(digest))
    }

    /// Reads the record. Changes nothing on the disk.
    pub(crate) fn open(directory: PathBuf) -> Self {
        let record = Mutex::new(Record::read(&directory));
        Self { directory, record }
    }

    /// Returns the directory of the files.
    pub(crate) fn files(&self) -> PathBuf {
        self.directory.join("files")
    }

    /// Returns the path of a file of the overlay, by its name inside of the configuration. `None` if a symbolic link is
    /// on the way to it, so that nothing outside of the overlay is read or written.
    pub(super) fn path(&self, inside: &str) -> Option<PathBuf> {
        let mut path = self.files();
        for part in Path::new(inside).components() {
            path.push(part);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
                return None;
            }
        }
        Some(path)
    }

    /// Returns the path of a file of the overlay, if there is one. One that cannot be looked at counts: it is not removed, and
    /// reading it reports why it cannot be read.
    pub(super) fn existing(&self, inside: &str) -> Option<PathBuf> {
        self.path(inside).filter(|path| match fs::metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) => {
                use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
                !matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
            }
        })
    }

    /// Returns the checksum of the base that a file was written over; `None` if that is not recorded.
    pub(super) fn base_of(&self, inside: &str) -> Option<Option<String>> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.entries.get(inside).map(|entry| entry.base.clone())
    }

    /// Records, durably, what a change is about to write, each file with the checksum of its base. The file selects the
    /// write that it is from by its own checksum, so a kill before or after it is written leaves the truth.
    ///
    /// # Errors
    /// The error of the operating system; the files must then not be written.
    pub(super) fn record(&self, writes: Vec<(String, Option<String>, Write)>) -> io::Result<()> {
        self.update(|record| {
            for (inside, base, write) in writes {
                let known = self.existing(&inside).is_some();
                record.add(inside, base, write, known);
            }
        })
    }

    /// Returns the newest write of a file with this checksum, as far as it is recorded.
    pub(super) fn write_of(&self, inside: &str, digest: &str) -> Option<Write> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.entries.get(inside)?.write_of(digest).cloned()
    }

    /// Returns the files that newer bases have replaced, oldest first.
    pub(super) fn displaced(&self) -> Vec<Displaced> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).displaced.clone()
    }

    /// Returns the recorded names that have no file any more.
    pub(super) fn removed(&self) -> Vec<String> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.entries.keys().filter(|inside| self.existing(inside).is_none()).cloned().collect()
    }

    /// Records the base of a file that was made by hand.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn adopt(&self, inside: &str, base: Option<String>) -> io::Result<()> {
        self.update(|record| record.adopt(inside, base))
    }

    /// Forgets a file that is not in the overlay any more.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn forget(&self, inside: &str) -> io::Result<()> {
        self.update(|record| drop(record.entries.remove(inside)))
    }

    /// Moves a file that a newer base has replaced to the copies. Returns the path of the copy.
    ///
    /// # Errors
    /// The error of the operating system; the file is then still in the overlay, and still replaced.
    pub(super) fn displace(&self, inside: &str, path: &Path, at: Timestamp) -> io::Result<Displaced> {
        let bytes = fs::read(path)?;
        let number = self.record.lock().unwrap_or_else(PoisonError::into_inner).copies + 1;
        let copy = replaced::save(&self.directory, number, inside, &bytes)?;
        let change = self.write_of(inside, &full(Digest::of(&bytes))).map(|write| write.change);
        let displaced = Displaced { file: inside.to_owned(), change, at, copy };
        self.update(|record| {
            record.copies = number;
            record.displace(displaced.clone());
        })?;
        atomic_file::remove(path)?;
        self.forget(inside)?;
        Ok(displaced)
    }

    fn update(&self, update: impl FnOnce(&mut Record)) -> io::Result<()> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = record.clone();
        update(&mut next);
        if next != *record {
            next.write(&self.directory)?;
            *record = next;
        }
        Ok(())
    }

    /// Removes the temporary files that killed processes left.
    pub(super) fn sweep(&self) {
        atomic_file::sweep(&self.directory);
        atomic_file::sweep(&self.directory.join(replaced::DIRECTORY));
        self.walk(atomic_file::sweep, |_| ());
    }

    /// Returns the names of the files that exist, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.walk(|_| (), |name| names.push(name.to_owned()));
        names.sort();
        names
    }

    /// Calls `directory` with each directory of the files, and `file` with the name of each file.
    fn walk(&self, directory: impl Fn(&Path), mut file: impl FnMut(&str)) {
        let root = self.files();
        let mut directories = vec![root.clone()];
        while let Some(next) = directories.pop() {
            directory(&next);
            for entry in fs::read_dir(next).into_iter().flatten().flatten() {
                let (path, kind) = (entry.path(), entry.file_type());
                if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                    directories.push(path);
                } else if atomic_file::is_own(&entry.file_name()) {
                    // A write is in progress, or was interrupted.
                } else if kind.is_ok_and(|kind| kind.is_file())
                    && let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str)
                {
                    file(name);
                }
            }
        }
    }
}

/// Returns the name of a file relative to the directory of config.toml, without `.`. `None` for a file outside of that
/// directory, which the overlay never holds.
pub(super) fn inside(root: &Path, name: &str) -> Option<String> {
    let path = Path::new(name);
    let path = path.strip_prefix(root).unwrap_or(path);
    let mut inside = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => inside.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!inside.is_empty()).then(|| inside.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let root = Path::new("/etc/harmony");
        let found = |name| inside(root, name);
        for name in ["pipelines/a.toml", "./pipelines/a.toml", "/etc/harmony/pipelines//a.toml"] {
            assert_eq!(found(name).as_deref(), Some("pipelines/a.toml"), "{name}");
        }
        for name in ["../a.toml", "pipelines/../../a.toml", "pipelines/../a.toml", "/etc/a.toml", "", "."] {
            assert_eq!(found(name), None, "{name}");
        }
    }

    #[test]
    fn links_in_the_overlay_are_not_followed() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let overlay = Overlay::open(dir.path().to_owned());
        fs::create_dir_all(overlay.files()).unwrap();
        fs::write(outside.path().join("a.toml"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), overlay.files().join("pipelines")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("a.toml"), overlay.files().join("config.toml"))
            .unwrap();
        assert_eq!(overlay.path("pipelines/a.toml"), None);
        assert_eq!(overlay.path("config.toml"), None);
        assert!(overlay.names().is_empty());
    }

    #[test]
    fn temporary_files_are_swept_from_every_directory() {
        let dir = tempfile::tempdir().unwrap();
        let overlay = Overlay::open(dir.path().to_owned());
        let left = overlay.files().join("pipelines/.harmony-x.tmp");
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(&left, "").unwrap();
        overlay.sweep();
        assert!(!left.exists());
    }
}
