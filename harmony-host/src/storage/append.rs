//! Appending to a file that must survive a kill and a power cut.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::storage::failpoints::{self, kill};
use crate::storage::operations::{Operation, perform};
use crate::storage::syncs;

/// Appends `bytes` with one write behind the first `length` bytes of `file`, and syncs it. Bytes behind these were left by an
/// append that failed, and are cut off. `half` is the failpoint in the middle of the bytes.
///
/// # Errors
/// The error of the operating system, without the path; `NotFound` if `path` leads to another file, or to none: what is appended
/// to a removed file is lost with the process.
pub(crate) fn append(file: &mut File, path: &Path, length: u64, bytes: &[u8], half: &str) -> io::Result<()> {
    failpoints::disk(path)?;
    check_place(file, path)?;
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

/// Checks that `path` still leads to `file`.
fn check_place(file: &File, path: &Path) -> io::Result<()> {
    let (open, found) = (file.metadata()?, fs::metadata(path));
    let is_same = |found: fs::Metadata| (found.dev(), found.ino()) == (open.dev(), open.ino());
    match found.is_ok_and(is_same) {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the file was removed or replaced while the gateway used it; put it back, or restart the gateway",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn a_file_that_is_gone_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("a.log"), dir.path().join("aside"));
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        append(&mut file, &path, 0, b"one", "").unwrap();
        fs::rename(&path, &aside).unwrap();
        assert_eq!(append(&mut file, &path, 3, b"two", "").unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&path, "one").unwrap();
        assert_eq!(append(&mut file, &path, 3, b"two", "").unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::rename(&aside, &path).unwrap();
        append(&mut file, &path, 3, b"two", "").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
    }
}
