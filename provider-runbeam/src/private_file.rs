//! Files that only their owner may read: the stored machine token and its key.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

/// The maximum size of a file in bytes. A credential or a key has a few hundred.
const MAX_BYTES: u64 = 64 * 1024;

/// The identity of a file's content, compared to notice a change without a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// Differs after a rename over the file, even if the length and the time are the same.
    inode: u64,
}

impl Stamp {
    /// Returns the stamp of the file at `path`, or `None` when there is no such file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from(&metadata))
    }

    fn from(metadata: &fs::Metadata) -> Self {
        Self { modified: metadata.modified().ok(), len: metadata.len(), inode: inode(metadata) }
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

/// The content of a file, with the stamp and the permissions at the time of the read.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) stamp: Stamp,
    pub(crate) access: ReadAccess,
}

/// The users besides its owner that may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAccess {
    OwnerOnly,
    Group,
    Everyone,
}

/// Reads a small file. Returns `None` when there is no such file.
pub(crate) fn read(path: &Path) -> io::Result<Option<Content>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.len() > MAX_BYTES {
        return Err(io::Error::other("file too large"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(Content { bytes, stamp: Stamp::from(&metadata), access: read_access(&metadata) }))
}

#[cfg(unix)]
fn read_access(metadata: &fs::Metadata) -> ReadAccess {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    match (mode & 0o007, mode & 0o070) {
        (0, 0) => ReadAccess::OwnerOnly,
        (0, _) => ReadAccess::Group,
        _ => ReadAccess::Everyone,
    }
}

#[cfg(not(unix))]
fn read_access(_: &fs::Metadata) -> ReadAccess {
    ReadAccess::OwnerOnly
}

/// Replaces the file at `path` atomically: after a crash it has either the old content or the new one. Only the owner
/// may read it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
    let directory = path.parent().ok_or_else(|| io::Error::other("the path has no directory"))?;
    create_directory(directory)?;
    // In the same directory, since a rename works within one file system only. Created with mode 0600, and deleted on
    // drop if it is not renamed.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let file = file.persist(path).map_err(|e| e.error)?;
    sync_directory(directory)?;
    Ok(Stamp::from(&file.metadata()?))
}

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Returns the remedy for a file that cannot be written.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "the disk is full: free space on it",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only: mount it writable",
        io::ErrorKind::PermissionDenied => "give the user of the gateway access to it and to its directory",
        _ => "check the disk and the permissions",
    }
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
