//! The identity of files and directories on disk, whatever path or mount they are reached by.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// The most links that are followed from a path.
const MOST_LINKS: usize = 40;

/// The depth to which the directories below another one are looked at.
const DEPTH: usize = 3;

/// The device and inode of a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Returns the identity of what a path leads to; `None` if nothing is there.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::read(&metadata))
    }

    fn read(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Returns the real directories that a file is read through: those of the file itself and of each link on the way to it.
pub(super) fn directories_of(file: &Path) -> Vec<PathBuf> {
    let (mut found, mut at) = (Vec::new(), file.to_owned());
    for _ in 0..MOST_LINKS {
        let Some(parent) = at.parent().map(real) else { break };
        let link = at.file_name().and_then(|name| fs::read_link(parent.join(name)).ok());
        let next = link.map(|target| parent.join(target));
        found.push(parent);
        match next {
            Some(target) => at = target,
            None => break,
        }
    }
    found
}

/// Returns the identities of a directory and of all that it is in.
pub(super) fn around(directory: &Path) -> BTreeSet<Identity> {
    directory.ancestors().filter_map(Identity::of).collect()
}

/// Returns the identities of a directory and of those below it, to a depth of three.
pub(super) fn within(directory: &Path) -> BTreeSet<Identity> {
    let mut found: BTreeSet<Identity> = Identity::of(directory).into_iter().collect();
    let mut level = vec![directory.to_owned()];
    for _ in 0..DEPTH {
        let entries = level.iter().flat_map(fs::read_dir).flatten().flatten();
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        level = directories.map(|entry| entry.path()).collect();
        found.extend(level.iter().filter_map(|path| Identity::of(path)));
    }
    found
}

/// Returns whether an entry of a directory is another name of `file`: a hard link.
pub(super) fn has_hard_link(directory: &Path, file: &Path) -> bool {
    let Ok(metadata) = fs::metadata(file) else { return false };
    if metadata.nlink() < 2 {
        return false;
    }
    let own = Identity::read(&metadata);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::symlink_metadata(entry.path()).ok())
        .any(|metadata| Identity::read(&metadata) == own)
}

/// Returns the path without symbolic links, `.` and `..`. A part that does not exist is used as written.
pub(crate) fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                real.pop();
            }
            other => real.push(other),
        }
        // Resolves one component at a time, because `link/..` is the parent of the link's target.
        if let Ok(target) = fs::canonicalize(&real) {
            real = target;
        }
    }
    real
}
