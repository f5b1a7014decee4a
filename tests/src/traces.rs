//! What a gateway has left on the disk.

use std::fs;
use std::path::{Path, PathBuf};

/// What a gateway that has stopped must not leave behind.
pub fn left_behind(root: &Path) -> Vec<String> {
    let left = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name.starts_with(".harmony-") && name.ends_with(".tmp")) || name.ends_with(".damaged")
    };
    files_below(root)
        .iter()
        .filter(|path| left(path))
        .map(|path| format!("{} is left", path.display()))
        .collect()
}

/// Every file below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// The SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
