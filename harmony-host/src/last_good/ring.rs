//! The ring: the newest generations on the disk.

use std::fs;
use std::io;
#[cfg(feature = "gateway")]
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use crate::last_good::generation::{Generation, decode};
use crate::storage::atomic_file;
use crate::storage::failpoints;
use crate::storage::io_error::{self, Explained};
use crate::storage::lock::Lock;

/// The number of generations on the disk.
const GENERATIONS: usize = 3;

/// The size limit of a file in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The generations on the disk, one file each, replaced atomically. Only the owner can read the directory and its
/// files: a configuration holds secrets.
#[derive(Debug)]
pub(crate) struct Ring {
    directory: PathBuf,
    /// The number of the newest intact generation and the digest of its files.
    newest: Option<(u64, String)>,
    /// Excludes a second gateway on the same configuration.
    _lock: Option<Lock>,
}

impl Ring {
    /// Opens the ring in `directory`, which need not exist, and reads the newest intact generation. The ring owns `lock`.
    pub(crate) fn open(directory: PathBuf, lock: Option<Lock>) -> (Self, Option<Generation>) {
        atomic_file::sweep(&directory);
        let mut ring = Self { directory, newest: None, _lock: lock };
        let numbers = ring.numbers().unwrap_or_else(|error| {
            tracing::error!(%error, "the saved configurations cannot be listed; a start with invalid files finds none of them");
            Vec::new()
        });
        for number in numbers.into_iter().rev() {
            match ring.read(number) {
                Ok(generation) => {
                    ring.newest = Some((number, generation.metadata.digest.clone()));
                    return (ring, Some(generation));
                }
                Err(reason) => {
                    let file = ring.path(number);
                    tracing::error!(file = %file.display(), reason, "a saved configuration cannot be used; the one before is tried");
                }
            }
        }
        (ring, None)
    }

    /// Saves a generation: as a new one when its files differ from the newest, else in its place.
    ///
    /// # Errors
    /// The error of the operating system; the older generations are then unchanged. A directory that cannot be listed is an
    /// error, since an older number would then be used again.
    pub(crate) fn save<F: Serialize>(&mut self, generation: &Generation<F>) -> io::Result<()> {
        atomic_file::make_directory(&self.directory, 0o700).map_err(io_error::at(&self.directory))?;
        let there = self.numbers()?.last().copied().unwrap_or(0);
        let number = match &self.newest {
            Some((number, digest)) if *digest == generation.metadata.digest => *number,
            Some((number, _)) => there.max(*number) + 1,
            None => there + 1,
        };
        let path = self.path(number);
        atomic_file::write(&path, &generation.encode()?, 0o600).map_err(io_error::at(&path))?;
        self.newest = Some((number, generation.metadata.digest.clone()));
        let numbers = self.numbers()?;
        for old in numbers.iter().take(numbers.len().saturating_sub(GENERATIONS)) {
            let path = self.path(*old);
            atomic_file::remove(&path).map_err(io_error::at(&path))?;
        }
        Ok(())
    }

    fn read(&self, number: u64) -> Result<Generation, String> {
        let path = self.path(number);
        let length = fs::metadata(&path).map_err(|e| Explained(&e).to_string())?.len();
        if length > MAX_BYTES {
            return Err(format!("the file has {length} bytes, more than {MAX_BYTES}"));
        }
        decode(&fs::read(&path).map_err(|e| Explained(&e).to_string())?)
    }

    /// Returns the numbers of the generations on the disk, oldest first; none for a directory that does not exist.
    ///
    /// # Errors
    /// The error of the operating system.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let at = io_error::at(&self.directory);
        failpoints::disk(&self.directory.join("list")).map_err(&at)?;
        let files = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(&at)?,
        };
        let names = files.map(|file| file.map(|file| file.file_name())).collect::<io::Result<Vec<_>>>();
        let number = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".generation")?.parse().ok();
        let mut numbers: Vec<u64> = names.map_err(&at)?.into_iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:012}.generation"))
    }
}

/// Returns the newest intact generation in `directory`. Writes nothing, so that it may run beside a gateway.
#[cfg(feature = "gateway")]
pub(crate) fn newest(directory: &Path) -> Option<Generation> {
    let ring = Ring { directory: directory.to_owned(), newest: None, _lock: None };
    ring.numbers().ok()?.into_iter().rev().find_map(|number| ring.read(number).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn generation(name: &str) -> Generation {
        let body = serde_json::json!({
            "schema": 1, "digest": name, "kept_at": 0, "references": [], "provider": null,
            "files": BTreeMap::from([("config.toml", name)]),
        });
        serde_json::from_value(body).unwrap()
    }

    fn newest(directory: &std::path::Path) -> Option<String> {
        Ring::open(directory.to_owned(), None).1.map(|generation| generation.metadata.digest)
    }

    #[test]
    fn three_distinct_generations_are_saved() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ring, found) = Ring::open(dir.path().join("ring"), None);
        assert!(found.is_none());
        for name in ["a", "b", "b", "c", "d"] {
            ring.save(&generation(name)).unwrap();
        }
        let directory = dir.path().join("ring");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);
        assert_eq!(newest(&directory).as_deref(), Some("d"));
        fs::remove_file(ring.path(4)).unwrap();
        assert_eq!(newest(&directory).as_deref(), Some("c"));
    }

    #[test]
    fn damaged_newest_yields_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let (mut ring, _) = Ring::open(dir.path().to_owned(), None);
        ring.save(&generation("before")).unwrap();
        ring.save(&generation("newest")).unwrap();
        let path = ring.path(2);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(newest(dir.path()).as_deref(), Some("before"), "cut at {at}");
            for mask in [1, 0x20, 0xff] {
                let mut flipped = whole.clone();
                flipped[at] ^= mask;
                fs::write(&path, &flipped).unwrap();
                assert_eq!(newest(dir.path()).as_deref(), Some("before"), "{mask} at {at}");
            }
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(newest(dir.path()).as_deref(), Some("newest"));
    }
}
