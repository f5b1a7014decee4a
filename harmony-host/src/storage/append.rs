//! Appending to a file that must survive a kill and a power cut.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::storage::failpoints::{self, kill};
use crate::storage::operations::{Operation, perform};
use crate::storage::syncs;

/// Appends `bytes` with one write behind the first `length` bytes of `file`, and syncs it. Bytes behind these were left by an
/// append that failed, and are cut off. `half` is the failpoint in the middle of the bytes.
///
/// # Errors
/// The error of the operating system, without the path.
pub(crate) fn append(file: &mut File, path: &Path, length: u64, bytes: &[u8], half: &str) -> io::Result<()> {
    failpoints::disk(path)?;
    let write = || {
        if file.metadata()?.len() != length {
            file.set_len(length)?;
        }
        if cfg!(feature = "failpoints") {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            file.write_all(first)?;
            kill(half);
            return file.write_all(second);
        }
        file.write_all(bytes)
    };
    perform(write, |()| Operation::Append(path.to_owned(), length, bytes.to_vec()))?;
    syncs::count();
    perform(|| file.sync_data(), |()| Operation::Sync(path.to_owned()))
}
