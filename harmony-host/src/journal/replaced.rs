use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::atomic_file;

/// Where they are, below the notes.
pub(super) const DIRECTORY: &str = "replaced";

/// How many replaced files are kept.
const KEPT: usize = 100;

/// Keeps the text of a file that is about to be replaced, in a directory beside the notes. Gives where.
///
/// # Errors
/// What the operating system says.
pub(super) fn keep(notes: &Path, sequence: u64, name: &str, text: &str) -> io::Result<PathBuf> {
    let directory = notes.join(DIRECTORY);
    atomic_file::make_directory(&directory, 0o700)?;
    let path = directory.join(format!("{sequence:012}-{}", name.replace(['/', '\\'], "_")));
    atomic_file::write(&path, text.as_bytes(), 0o600)?;
    let mut all: Vec<PathBuf> = fs::read_dir(&directory)?.flatten().map(|file| file.path()).collect();
    all.sort();
    for old in all.iter().take(all.len().saturating_sub(KEPT)) {
        atomic_file::remove(old)?;
    }
    Ok(path)
}
