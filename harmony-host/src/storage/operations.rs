//! The operations that change the disk. All files that must survive a power cut are written by them, so that a test can
//! record what happens and try every state that a power cut may leave.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// An operation on the disk, with absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(not(feature = "failpoints"), allow(unreachable_pub, reason = "the record is in test builds only"))]
pub enum Operation {
    /// A new, empty file.
    Create(PathBuf),
    /// The content of a file.
    Write(PathBuf, Vec<u8>),
    /// The content of a file from a position on, which is its end.
    Append(PathBuf, u64, Vec<u8>),
    /// The content of a file is on the disk from here on.
    Sync(PathBuf),
    /// The names in a directory are on the disk from here on.
    SyncDirectory(PathBuf),
    /// A file gets another name, over a file that has it.
    Rename(PathBuf, PathBuf),
    /// Two files exchange their names.
    Exchange(PathBuf, PathBuf),
    /// A file gets a second name.
    Link(PathBuf, PathBuf),
    /// A file loses a name.
    Remove(PathBuf),
    /// A new directory.
    MakeDirectory(PathBuf),
}

/// Performs an operation, and records it if it succeeds.
pub(crate) fn perform<T>(
    act: impl FnOnce() -> io::Result<T>,
    operation: impl FnOnce(&T) -> Operation,
) -> io::Result<T> {
    #[cfg(feature = "failpoints")]
    return recorder::perform(act, operation);
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = operation;
        act()
    }
}

/// Renames a file.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    perform(|| fs::rename(from, to), |()| Operation::Rename(from.to_owned(), to.to_owned()))
}

/// Removes a file.
///
/// # Errors
/// The error of the operating system.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    perform(|| fs::remove_file(path), |()| Operation::Remove(path.to_owned()))
}

/// Gives a file a second name.
///
/// # Errors
/// The error of the operating system.
pub(super) fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    perform(|| fs::hard_link(from, to), |()| Operation::Link(from.to_owned(), to.to_owned()))
}

/// Creates a directory whose parent exists.
///
/// # Errors
/// The error of the operating system.
pub(super) fn make_directory(builder: &fs::DirBuilder, path: &Path) -> io::Result<()> {
    perform(|| builder.create(path), |()| Operation::MakeDirectory(path.to_owned()))
}

#[cfg(feature = "failpoints")]
pub(crate) mod recorder {
    //! The record of the operations of this process.

    use std::io;
    use std::sync::{Mutex, PoisonError};

    use super::Operation;

    struct Record {
        mark: Box<dyn Fn() -> String + Send>,
        operations: Vec<(Operation, String)>,
    }

    static RECORD: Mutex<Option<Record>> = Mutex::new(None);

    pub(super) fn perform<T>(
        act: impl FnOnce() -> io::Result<T>,
        operation: impl FnOnce(&T) -> Operation,
    ) -> io::Result<T> {
        // Held during the operation: the record has the order of the disk.
        let mut record = RECORD.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Record { mark, operations }) = &mut *record else {
            drop(record);
            return act();
        };
        // Before the operation: what was true then was true without it.
        let mark = mark();
        let done = act()?;
        operations.push((operation(&done), mark));
        Ok(done)
    }

    /// Starts recording. `mark` is called before each operation; its text is recorded with it.
    pub fn start_recording(mark: impl Fn() -> String + Send + 'static) {
        let record = Record { mark: Box::new(mark), operations: Vec::new() };
        *RECORD.lock().unwrap_or_else(PoisonError::into_inner) = Some(record);
    }

    /// Ends recording and returns the operations, each with the mark before it.
    pub fn stop_recording() -> Vec<(Operation, String)> {
        let record = RECORD.lock().unwrap_or_else(PoisonError::into_inner).take();
        record.map(|record| record.operations).unwrap_or_default()
    }
}
