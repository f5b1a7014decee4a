//! Inspection of the files that a gateway leaves on disk.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns a problem for each temporary or damaged file below `root`. A stopped gateway must leave none.
pub fn leftover_files(root: &Path) -> Vec<String> {
    let is_leftover = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with(".harmony-") || name.ends_with(".damaged")
    };
    files_below(root)
        .iter()
        .filter(|path| is_leftover(path))
        .map(|path| format!("{} was left behind", path.display()))
        .collect()
}

/// Returns all files below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Returns the SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
