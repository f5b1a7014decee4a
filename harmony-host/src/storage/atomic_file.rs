//! Atomic file replacement: after a crash a file has either its old or its new content.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::storage::operations::{self, Operation, perform};
use crate::storage::syncs;
use crate::storage::{acl, failpoints};

/// Prefix and suffix of temporary file names.
pub(super) const TEMPORARY: (&str, &str) = (".harmony-", ".tmp");

/// The permissions of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A replaced file keeps its permissions; a new file gets this mode, reduced by the umask.
    Keep(u32),
    /// A replaced file keeps its permissions. A new file gets the owner and the group of its directory, and what they may do
    /// there, reduced by the umask.
    LikeDirectory,
    /// Only the owner can read and write the file.
    Private,
}

/// Replaces the content of `path` with `bytes`: writes a temporary file in the same directory, syncs it, renames it
/// over `path` and syncs the directory. A symbolic link stays a link; its target is replaced. A replaced file keeps
/// its owner and permissions, without those of a group that cannot be kept; a new file gets `mode`, reduced by the umask.
///
/// # Errors
/// The error of the operating system. `path` then has its old content, or the new content if only the last sync
/// failed.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let target = target_of(path)?;
    let file = made(&target, bytes, Access::Keep(mode))?;
    failpoints::kill("file-made");
    let from = file.path().to_owned();
    perform(|| file.persist(&target).map_err(|e| e.error), |_| Operation::Rename(from, target.clone()))?;
    failpoints::kill("file-renamed");
    sync(&parent_directory(&target))
}

/// Returns the file that a path leads to: the target of a symbolic link, which is replaced instead of the link.
///
/// # Errors
/// The error of the operating system.
pub(super) fn target_of(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).or_else(|e| match e.kind() {
        io::ErrorKind::NotFound => Ok(path.to_owned()),
        _ => Err(e),
    })
}

/// Writes and syncs a temporary file beside `target`, with the permissions that `target` is to have.
///
/// # Errors
/// The error of the operating system; no file is left then.
pub(super) fn made(target: &Path, bytes: &[u8], access: Access) -> io::Result<NamedTempFile> {
    let old = fs::metadata(target).ok();
    let directory = parent_directory(target);
    let like = (access == Access::LikeDirectory).then(|| fs::metadata(&directory)).transpose()?;
    let mut builder = temporary();
    // The replaced file may be less readable than a new one, so the temporary file is readable only by its owner until it
    // has the permissions of the replaced one.
    match (&old, access, &like) {
        (None, Access::Keep(mode), _) => drop(builder.permissions(permissions(mode))),
        (None, _, Some(like)) => drop(builder.permissions(permissions(like.permissions().mode() & 0o664))),
        _ => {}
    }
    let mut file =
        perform(|| builder.tempfile_in(&directory), |file| Operation::Create(file.path().to_owned()))?;
    failpoints::disk(target)?;
    let path = file.path().to_owned();
    perform(|| file.write_all(bytes), |()| Operation::Write(path.clone(), bytes.to_vec()))?;
    if let Some(old) = old {
        let kept = keep_owner(file.as_file(), &old)?;
        match access {
            Access::Keep(_) | Access::LikeDirectory if kept == old.permissions() => {
                acl::keep(file.as_file(), target, kept)?;
            }
            Access::Keep(_) | Access::LikeDirectory => file.as_file().set_permissions(kept)?,
            Access::Private => file.as_file().set_permissions(permissions(0o600))?,
        }
    } else if let Some(like) = like {
        adopt(file.as_file(), &like)?;
    }
    perform(|| file.as_file().sync_all(), |()| Operation::Sync(path))?;
    syncs::count();
    Ok(file)
}

/// Gives `file` the owner and group of `old`, and returns the permissions that it may have. Only root may give files
/// away; a group of other members then loses its access rather than a new one gaining it.
fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<fs::Permissions> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid())
        && fchown(file, Some(old.uid()), Some(old.gid())).is_err()
        && new.gid() != old.gid()
        && fchown(file, None, Some(old.gid())).is_err()
    {
        return Ok(acl::without_group(&old.permissions()));
    }
    Ok(old.permissions())
}

/// Gives a new file the owner and group of `like`, and takes what a group may do that it does not have.
fn adopt(new: &File, like: &fs::Metadata) -> io::Result<()> {
    let allowed = keep_owner(new, like)?.mode() | !0o777;
    let made = new.metadata()?.permissions().mode();
    new.set_permissions(permissions(made & allowed))
}

/// Creates and removes a temporary file in `directory`.
///
/// # Errors
/// The error of the operating system: no file of the directory can be replaced then.
pub(crate) fn probe(directory: &Path) -> io::Result<()> {
    failpoints::disk(&directory.join("probe"))?;
    temporary().tempfile_in(directory)?.close()
}

/// Returns whether a name is that of a file which a write leaves for a moment.
pub(crate) fn is_own(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.0.as_bytes())
}

fn temporary() -> tempfile::Builder<'static, 'static> {
    let (prefix, suffix) = TEMPORARY;
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(suffix);
    builder
}

/// Removes a file and syncs its directory. A missing file is not an error.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    failpoints::disk(path)?;
    match operations::remove_file(path) {
        Ok(()) => sync(&parent_directory(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Removes the temporary files that killed processes left in `directory`.
pub(crate) fn sweep(directory: &Path) {
    let (prefix, suffix) = TEMPORARY;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(prefix)
            && name.ends_with(suffix)
            && operations::remove_file(&entry.path()).is_ok()
        {
            tracing::info!(file = %entry.path().display(), "removed a temporary file of an interrupted write");
        }
    }
}

/// Creates `directory` and its missing parents with the given mode, and syncs the parents of those that are new: without it
/// a power cut may take a new directory with all the files that were synced in it.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if directory.is_dir() {
        return Ok(());
    }
    let parent = parent_directory(directory);
    make_directory(&parent, mode)?;
    match operations::make_directory(fs::DirBuilder::new().mode(mode), directory) {
        Ok(()) => sync(&parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates `directory` and its missing parents, each with the owner, the group and the mode of the one that it is in,
/// reduced by the umask.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn make_directory_like_parent(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if directory.is_dir() {
        return Ok(());
    }
    let parent = parent_directory(directory);
    make_directory_like_parent(&parent)?;
    let like = fs::metadata(&parent)?;
    let mode = like.permissions().mode() & 0o777;
    match operations::make_directory(fs::DirBuilder::new().mode(mode), directory) {
        Ok(()) => {
            adopt(&File::open(directory)?, &like)?;
            sync(&parent)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Syncs a directory: without it a rename may be lost in a power cut.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    syncs::count();
    let opened = File::open(directory)?;
    perform(|| opened.sync_all(), |()| Operation::SyncDirectory(directory.to_owned()))
}

/// Syncs a directory in which a file was just created.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    sync(directory)
}

pub(super) fn parent_directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn permissions(mode: u32) -> fs::Permissions {
    fs::Permissions::from_mode(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_and_links_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("real.toml"), dir.path().join("link.toml"));
        write(&file, b"one", 0o640).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        fs::set_permissions(&file, permissions(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, b"two", 0o644).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file is left");
    }

    /// The umask belongs to the process, so the write happens in a process of its own.
    #[test]
    fn new_files_respect_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let this = std::env::current_exe().unwrap();
        let mut shell = std::process::Command::new("sh");
        shell
            .args([
                "-c",
                "umask 077; exec \"$0\" --ignored --exact storage::atomic_file::tests::writes_a_file",
            ])
            .arg(this);
        let output = shell.env("WRITES_TO", dir.path().join("new")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::metadata(dir.path().join("new")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    #[ignore = "runs in the child process of new_files_respect_the_umask"]
    fn writes_a_file() {
        let Some(path) = std::env::var_os("WRITES_TO") else { return };
        write(Path::new(&path), b"new", 0o644).unwrap();
    }

    #[test]
    fn only_temporary_files_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".harmony-x.tmp", "harmony-x.tmp", ".other.tmp"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        sweep(dir.path());
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".other.tmp", "harmony-x.tmp"]);
    }
}
