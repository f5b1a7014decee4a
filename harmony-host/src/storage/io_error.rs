//! I/O errors as operators need them: the path, the reason in words, and the remedy.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The error numbers of a process and of a system with too many open files, and of a device error. The standard library
/// has no kinds for them.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;
const EIO: i32 = 5;

/// Adds `path`, the reason and the remedy to an error. Its kind stays.
///
/// Not for errors that are reported to a control plane, which must not learn the paths of this machine.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |source| match source.get_ref().is_some_and(|inner| inner.is::<PathError>()) {
        true => source,
        false => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            io::Error::new(source.kind(), PathError { path, source })
        }
    }
}

/// The error of an access to a path.
#[derive(Debug)]
struct PathError {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), Explained(&self.source))
    }
}

// The source is in the text already.
impl std::error::Error for PathError {}

/// An I/O error that is displayed with its reason in words and its remedy.
#[derive(Debug)]
pub(crate) struct Explained<'e>(pub(crate) &'e io::Error);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, remedy) = explain(self.0);
        f.write_str(&reason)?;
        remedy.map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

/// Returns the reason of an error in words, and the remedy if there is one.
pub(crate) fn explain(error: &io::Error) -> (String, Option<&'static str>) {
    let (words, remedy) = match (error.kind(), error.raw_os_error()) {
        (_, Some(EMFILE | ENFILE)) => (
            "too many files are open",
            "raise the limit of open files: `ulimit -n`, or LimitNOFILE= in the unit of systemd",
        ),
        (_, Some(EIO)) => ("the disk reports an error", "check the disk, and the log of the system"),
        (ErrorKind::StorageFull, _) => ("the disk is full", "free space on it"),
        (ErrorKind::QuotaExceeded, _) => ("the quota is used up", "free space, or raise the quota"),
        (ErrorKind::ReadOnlyFilesystem, _) => ("the file system is read-only", "mount it writable"),
        (ErrorKind::PermissionDenied, _) => {
            ("access is denied", "give the user of the gateway access to it and to its directory")
        }
        (ErrorKind::NotFound, Some(_)) => ("it does not exist", "create it, or correct the path"),
        (ErrorKind::IsADirectory, _) => ("it is a directory", "a file is needed here"),
        (ErrorKind::NotADirectory, _) => ("a part of the path is no directory", "correct the path"),
        // The error has its own words.
        _ => return (plain(error), None),
    };
    (format!("{words} ({})", plain(error)), Some(remedy))
}

/// Returns the text of an error without its number, which tells operators nothing.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_path_reason_and_remedy() {
        let full = at(Path::new("/state/a.note"))(io::Error::from_raw_os_error(28));
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let text = "/state/a.note: the disk is full (No space left on device); free space on it";
        assert_eq!(full.to_string(), text);
        assert_eq!(at(Path::new("/state"))(full).to_string(), text, "the first path is the exact one");
        for (code, words) in [
            (13, "access is denied (Permission denied); give"),
            (24, "too many files are open (Too many open files); raise the limit"),
            (30, "the file system is read-only (Read-only file system); mount"),
            (5, "the disk reports an error (Input/output error); check"),
            (2, "it does not exist (No such file or directory); create"),
            (21, "it is a directory (Is a directory); a file"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert!(Explained(&error).to_string().starts_with(words), "{}", Explained(&error));
        }
        let own = io::Error::new(ErrorKind::WouldBlock, "another gateway works in /state");
        assert_eq!(Explained(&own).to_string(), "another gateway works in /state");
    }
}
