//! The check that each file begins with a documentation line.

use std::fs;
use std::path::Path;

use super::error::Error;
use super::report::Violation;
use super::rust_files::{rust_files, shown};

const CRATES: [&str; 5] = ["provider-api", "provider-local", "provider-runbeam", "harmony-host", "tests"];

/// Returns the files of the workspace at `root` that do not begin with a `//!` line. A crate that has its
/// README as documentation begins with `#![doc = include_str!(...)]` instead.
///
/// # Errors
/// A file cannot be read.
pub fn without_doc_line(root: &Path) -> Result<Vec<Violation>, Error> {
    let mut without = Vec::new();
    for name in CRATES {
        for path in rust_files(&root.join(name))? {
            let text = fs::read_to_string(&path).map_err(|error| Error::unreadable(&path, error))?;
            if !documented(&text) {
                without.push(Violation::NoDocLine { file: shown(root, &path) });
            }
        }
    }
    Ok(without)
}

/// Returns whether a file with this text begins with its documentation.
pub(super) fn documented(text: &str) -> bool {
    text.starts_with("//!") || text.starts_with("#![doc = include_str!(")
}
