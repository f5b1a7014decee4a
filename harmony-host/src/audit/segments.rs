//! The files of an audit log, each named by its first record.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::io_error;

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The number of its first record, by its name.
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

impl Segment {
    /// Returns the file that begins with the record `first`.
    pub(super) fn new(directory: &Path, first: u64) -> Self {
        Self { first, path: directory.join(format!("audit-{first:012}.log")) }
    }

    /// Returns the files in `directory`, oldest first; none for a directory that does not exist.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn list(directory: &Path) -> io::Result<Vec<Self>> {
        let at = io_error::at(directory);
        let files = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(&at)?,
        };
        let mut segments = Vec::new();
        for file in files {
            let file = file.map_err(&at)?;
            let name = file.file_name();
            let first = name
                .to_str()
                .and_then(|name| name.strip_prefix("audit-")?.strip_suffix(".log")?.parse::<u64>().ok());
            segments.extend(first.map(|first| Self { first, path: file.path() }));
        }
        segments.sort();
        Ok(segments)
    }
}
