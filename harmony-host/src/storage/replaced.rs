//! Copies of files that lost to newer ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::{atomic_file, io_error};

/// The directory of the copies, below the directory of their owner.
pub(crate) const DIRECTORY: &str = "replaced";

/// The number of copies that stay.
const COPIES: usize = 100;

/// Saves a copy of the file `name` below `owner`; only the owner of the process can read it. The names of the copies sort
/// by `number`; the newest 100 stay. A further copy with the same number and name gets a name of its own. Returns the path
/// of the copy.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn save(owner: &Path, number: u64, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let directory = owner.join(DIRECTORY);
    atomic_file::make_directory(&directory, 0o700).map_err(io_error::at(&directory))?;
    let first = directory.join(format!("{number:012}-{}", name.replace(['/', '\\'], "_")));
    let named = |count: usize| match count {
        1 => first.clone(),
        _ => first.with_added_extension(count.to_string()),
    };
    let is_free = |path: &PathBuf| fs::read(path).map_or(true, |there| there == bytes);
    let path = (1..=COPIES).map(named).find(is_free).unwrap_or(first.clone());
    atomic_file::write(&path, bytes, 0o600).map_err(io_error::at(&path))?;
    let mut all: Vec<PathBuf> = fs::read_dir(&directory)
        .map_err(io_error::at(&directory))?
        .flatten()
        .map(|file| file.path())
        .collect();
    all.sort();
    for old in all.iter().take(all.len().saturating_sub(COPIES)) {
        atomic_file::remove(old).map_err(io_error::at(old))?;
    }
    Ok(path)
}
