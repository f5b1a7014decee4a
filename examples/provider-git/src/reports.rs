use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use provider_api::*;

use crate::git::unavailable;

/// What became of each change: a repository takes no reports, so they stand beside the gateway's own state. Lines
/// `<id> <status>` that are only ever added.
#[derive(Debug)]
pub(crate) struct Reports {
    path: PathBuf,
    writing: Mutex<()>,
}

/// What cannot be used when this fails.
const LOG: &str = "the log of what became of changes cannot be used";

/// The last line about each change.
pub(crate) type Told = HashMap<String, String>;

impl Reports {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// Every change that there is a report of, and how long the log is.
    pub(crate) fn told(&self) -> Result<(Told, usize)> {
        let none =
            |e: std::io::Error| if e.kind() == ErrorKind::NotFound { Ok(String::new()) } else { Err(e) };
        let text = std::fs::read_to_string(&self.path).or_else(none).map_err(unavailable(LOG))?;
        // A line that was cut off by a crash has not been written.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let told = whole.lines().filter_map(|line| line.split_once(' '));
        Ok((told.map(|(id, status)| (id.to_owned(), status.to_owned())).collect(), text.len()))
    }

    /// Adds a line, unless it is the last one about that change. It is on the disk when this returns.
    pub(crate) fn tell(&self, id: &ChangeId, status: &str) -> Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let status = status.replace(['\n', '\r'], " ");
        if self.told()?.0.get(id.as_str()).is_some_and(|told| *told == status) {
            return Ok(());
        }
        let write = |directory: &Path| {
            std::fs::create_dir_all(directory)?;
            let mut log = OpenOptions::new().create(true).append(true).open(&self.path)?;
            log.write_all(format!("\n{id} {status}\n").as_bytes())?;
            log.sync_all()?;
            File::open(directory)?.sync_all()
        };
        self.path.parent().map_or(Ok(()), write).map_err(unavailable(LOG))
    }
}
