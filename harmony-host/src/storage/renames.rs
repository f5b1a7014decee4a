//! The renames that replace nothing, and that exchange two files, with what stands in for them on file systems without
//! them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::storage::failpoints;
use crate::storage::operations::{Operation, hard_link, perform, remove_file, rename};

/// Exchanges two files. Afterwards each has the name of the other, and no moment is without one of them.
///
/// # Errors
/// `Unsupported` if the platform or the file system has no such rename; `NotFound` if one of the files does not exist;
/// or another error of the operating system. The files are unchanged then.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    if failpoints::no_exchange() {
        return Err(ErrorKind::Unsupported.into());
    }
    perform(|| flagged::exchange(one, other), |()| Operation::Exchange(one.to_owned(), other.to_owned()))
}

/// Moves a file to a name that is free. Returns false, and changes nothing, if there is a file with that name.
///
/// # Errors
/// The error of the operating system.
pub(super) fn place(from: &Path, to: &Path) -> io::Result<bool> {
    let renamed = |(): &()| Operation::Rename(from.to_owned(), to.to_owned());
    let moved = match perform(|| flagged::no_replace(from, to), renamed) {
        Err(error) if error.kind() == ErrorKind::Unsupported => linked(from, to),
        moved => moved,
    };
    match moved {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves a file by a second link, as a file system without the rename can. One without links, such as FAT, only leaves
/// the check before a rename.
fn linked(from: &Path, to: &Path) -> io::Result<()> {
    match hard_link(from, to) {
        Ok(()) => remove_file(from),
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            match fs::symlink_metadata(to) {
                Ok(_) => Err(ErrorKind::AlreadyExists.into()),
                Err(_) => rename(from, to),
            }
        }
        Err(error) => Err(error),
    }
}

/// The renames with flags: `renameat2` of Linux, `renameatx_np` of macOS.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod flagged {
    use std::io::{self, ErrorKind};
    use std::path::Path;

    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(error)
    }

    pub(super) fn no_replace(from: &Path, to: &Path) -> io::Result<()> {
        renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(error)
    }

    /// A file system says in different ways that it does not know the flag; NFS says `EINVAL`.
    fn error(errno: Errno) -> io::Error {
        let unknown = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP];
        match unknown.contains(&errno) {
            true => io::Error::new(ErrorKind::Unsupported, io::Error::from(errno)),
            false => errno.into(),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod flagged {
    use std::io::{self, ErrorKind};
    use std::path::Path;

    pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn no_replace(_: &Path, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let ways: [fn(&Path, &Path) -> io::Result<bool>; 2] = [place, |from, to| {
            linked(from, to).map(|()| true).or_else(|e| match e.kind() {
                ErrorKind::AlreadyExists => Ok(false),
                _ => Err(e),
            })
        }];
        for place in ways {
            fs::write(&one, "one").unwrap();
            assert!(place(&one, &other).unwrap() && !one.exists());
            fs::write(&one, "new").unwrap();
            assert!(!place(&one, &other).unwrap());
            assert_eq!(
                (fs::read(&one).unwrap(), fs::read(&other).unwrap()),
                (b"new".to_vec(), b"one".to_vec())
            );
            fs::remove_file(&other).unwrap();
        }
        assert_eq!(place(&dir.path().join("none"), &other).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
