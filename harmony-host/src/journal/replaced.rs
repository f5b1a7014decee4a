//! Copies of files that were edited by hand and replaced by a change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::atomic_file;

/// The directory of the copies, below the notes.
pub(super) const DIRECTORY: &str = "replaced";

/// The number of copies that stay.
const COPIES: usize = 100;

/// Saves the text of a file that is about to be replaced. Returns the path of the copy.
///
/// # Errors
/// The error of the operating system.
pub(super) fn save(notes: &Path, sequence: u64, name: &str, text: &str) -> io::Result<PathBuf> {
    let directory = notes.join(DIRECTORY);
    atomic_file::make_directory(&directory, 0o700)?;
    let path = directory.join(format!("{sequence:012}-{}", name.replace(['/', '\\'], "_")));
    atomic_file::write(&path, text.as_bytes(), 0o600)?;
    let mut all: Vec<PathBuf> = fs::read_dir(&directory)?.flatten().map(|file| file.path()).collect();
    all.sort();
    for old in all.iter().take(all.len().saturating_sub(COPIES)) {
        atomic_file::remove(old)?;
    }
    Ok(path)
}
