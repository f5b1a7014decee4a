//! The Rust files below a directory.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error;

/// Returns the `.rs` files below `directory`, sorted, so that reports are the same on every machine.
pub(super) fn rust_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut todo = vec![directory.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(&next).map_err(|error| Error::unreadable(&next, error))? {
            let path = entry.map_err(|error| Error::unreadable(&next, error))?.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension() == Some(OsStr::new("rs")) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the path below `root` as the report shows it.
pub(super) fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
