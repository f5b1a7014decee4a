use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

/// The most bytes of a file that are read: a credential or a key has a few hundred.
const MAX_BYTES: u64 = 64 * 1024;

/// What tells one content of a path from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// A file that was renamed over another is another one, even of the same length in the same moment.
    node: u64,
}

impl Stamp {
    /// `None` when there is no such file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::from(&metadata))
    }

    fn from(metadata: &fs::Metadata) -> Self {
        Self { modified: metadata.modified().ok(), len: metadata.len(), node: node(metadata) }
    }
}

#[cfg(unix)]
fn node(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn node(_: &fs::Metadata) -> u64 {
    0
}

/// A file and what it was when it was read.
pub(crate) struct Content {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) stamp: Stamp,
    pub(crate) readers: Readers,
}

/// Who may read a file beside its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Nobody,
    Group,
    Everybody,
}

/// The whole of a small file; `None` when there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<Content>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > MAX_BYTES {
        return Err(io::Error::other("it is too large"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(Content { bytes, stamp: Stamp::from(&metadata), readers: readers(&metadata) }))
}

#[cfg(unix)]
fn readers(metadata: &fs::Metadata) -> Readers {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    match (mode & 0o007, mode & 0o070) {
        (0, 0) => Readers::Nobody,
        (0, _) => Readers::Group,
        _ => Readers::Everybody,
    }
}

#[cfg(not(unix))]
fn readers(_: &fs::Metadata) -> Readers {
    Readers::Nobody
}

/// Replaces the file at `path` whole, readable by its owner only; what was there stays until then.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<Stamp> {
    let directory = path.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    make_directory(directory)?;
    // Made with the mode 0600 in the same directory, and taken away again when it is not renamed.
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let file = file.persist(path).map_err(|e| e.error)?;
    sync(directory)?;
    Ok(Stamp::from(&file.metadata()?))
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
