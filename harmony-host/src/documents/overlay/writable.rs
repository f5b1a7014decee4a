//! The check if a file can be written, by writing beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::atomic_file;

/// A path that cannot be written, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadOnly {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// Returns the reason for which the file at `path` cannot be replaced or created: its directory accepts no temporary
/// file, or the file is mounted by itself, so that no other can be renamed over it. Any other failure, such as a full
/// disk, does not make a configuration read-only; the write then reports it.
pub(crate) fn read_only(path: &Path) -> Option<ReadOnly> {
    // The target of a link is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if is_mount_point(&target) {
        return Some(ReadOnly { path: target, reason: "the file is mounted by itself".to_owned() });
    }
    let mut directory = target.parent();
    while let Some(at) = directory {
        let error = match atomic_file::probe(at) {
            Ok(()) => return None,
            Err(error) => error,
        };
        match error.kind() {
            // A missing directory would be created in the one above.
            io::ErrorKind::NotFound => directory = at.parent(),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                return Some(ReadOnly { path: at.to_owned(), reason: error.kind().to_string() });
            }
            _ => return None,
        }
    }
    None
}

/// Returns whether a file is a mount point, as with `docker -v config.toml:/etc/harmony/config.toml`.
fn is_mount_point(path: &Path) -> bool {
    let Some(path) = path.to_str().filter(|_| path.is_file()) else { return false };
    // The table exists on Linux; elsewhere files cannot be mounted.
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return false };
    mounts.lines().filter_map(mount_point).any(|point| point == path)
}

/// Returns the mount point of a line of the table of mounts, in which some characters are written in octal.
fn mount_point(line: &str) -> Option<String> {
    let written = line.split(' ').nth(4)?;
    let named = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    Some(named.iter().fold(written.to_owned(), |point, (octal, character)| point.replace(octal, character)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read() {
        let line = "36 35 98:0 /mnt1 /etc/my\\040conf/config.toml rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line).as_deref(), Some("/etc/my conf/config.toml"));
        assert_eq!(mount_point("36 35"), None);
    }

    #[test]
    fn writable_directory_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_only(&dir.path().join("config.toml")), None);
        assert_eq!(read_only(&dir.path().join("pipelines/new.toml")), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
