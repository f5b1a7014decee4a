//! The status log: the reported status of each change, in a file of the state directory.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use provider_api::*;

use crate::provider::unavailable;

/// An append-only file with one line `<id> <status>` per report. A gateway has no permission to write to the repository,
/// so the reports cannot be stored there.
#[derive(Debug)]
pub(crate) struct StatusLog {
    path: PathBuf,
    append_lock: Mutex<()>,
}

/// The context of every error of the log.
const FAILED: &str = "the status log cannot be read or written";

impl StatusLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, append_lock: Mutex::new(()) }
    }

    /// Returns the last status of each change by its id, and the length of the log in bytes.
    pub(crate) fn read(&self) -> Result<(HashMap<String, String>, usize)> {
        let empty = |e: io::Error| if e.kind() == ErrorKind::NotFound { Ok(String::new()) } else { Err(e) };
        let text = std::fs::read_to_string(&self.path).or_else(empty).map_err(unavailable(FAILED))?;
        // A crash can leave an incomplete last line. Its report failed, and the host repeats it.
        let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
        let lines = complete.lines().filter_map(|line| line.split_once(' '));
        Ok((lines.map(|(id, status)| (id.to_owned(), status.to_owned())).collect(), text.len()))
    }

    /// Appends a status and syncs the file, unless it is the last status of the change already.
    pub(crate) fn append(&self, id: &ChangeId, status: &str) -> Result<()> {
        let _guard = self.append_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let status = status.replace(['\n', '\r'], " ");
        if self.read()?.0.get(id.as_str()).is_some_and(|last| *last == status) {
            return Ok(());
        }
        let write = |directory: &Path| {
            std::fs::create_dir_all(directory)?;
            let mut log = OpenOptions::new().create(true).append(true).open(&self.path)?;
            // A leading newline ends an incomplete line. The repeated report of that change then follows it.
            log.write_all(format!("\n{id} {status}\n").as_bytes())?;
            log.sync_all()?;
            // The directory too: otherwise a new file can be lost in a power failure.
            File::open(directory)?.sync_all()
        };
        self.path.parent().map_or(Ok(()), write).map_err(unavailable(FAILED))
    }
}
