//! Atomic file replacement: after a crash a file has either its old or its new content.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::storage::failpoints;

/// Prefix and suffix of temporary file names.
const TEMPORARY: (&str, &str) = (".harmony-", ".tmp");

/// Replaces the content of `path` with `bytes`: writes a temporary file in the same directory, syncs it, renames it
/// over `path` and syncs the directory. A symbolic link stays a link; its target is replaced. A replaced file keeps
/// its owner and permissions, without those of a group that cannot be kept; a new file gets `mode`, reduced by the umask.
///
/// # Errors
/// The error of the operating system. `path` then has its old content, or the new content if only the last sync
/// failed.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path, bytes, mode, |kept| kept)
}

/// Replaces the content of `path` like [`write()`], and leaves no access to others than the owner.
///
/// # Errors
/// The same as those of [`write()`].
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, 0o600, |_| permissions(0o600))
}

/// Replaces the content of `path`; a file that it replaces gets what `mode_of` makes of its permissions.
fn replace(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    mode_of: impl FnOnce(fs::Permissions) -> fs::Permissions,
) -> io::Result<()> {
    let target = fs::canonicalize(path).or_else(|e| match e.kind() {
        io::ErrorKind::NotFound => Ok(path.to_owned()),
        _ => Err(e),
    })?;
    let directory = parent_directory(&target);
    let old = fs::metadata(&target).ok();
    let mut builder = temporary();
    // The replaced file may be less readable than `mode`, so the temporary file is readable only by its owner until it
    // has the permissions of the replaced one.
    if old.is_none() {
        builder.permissions(permissions(mode));
    }
    let mut file = builder.tempfile_in(&directory)?;
    failpoints::disk(&target)?;
    file.write_all(bytes)?;
    if let Some(old) = old {
        let kept = keep_owner(file.as_file(), &old)?;
        file.as_file().set_permissions(mode_of(kept))?;
    }
    file.as_file().sync_all()?;
    failpoints::kill("file-made");
    file.persist(&target).map_err(|e| e.error)?;
    failpoints::kill("file-renamed");
    sync(&directory)
}

/// Gives `file` the owner and group of `old`, and returns the permissions that it may have. Only root may give files
/// away; a group of other members then loses its access rather than a new one gaining it.
fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<fs::Permissions> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid())
        && fchown(file, Some(old.uid()), Some(old.gid())).is_err()
        && new.gid() != old.gid()
        && fchown(file, None, Some(old.gid())).is_err()
    {
        return Ok(permissions(old.permissions().mode() & !0o070));
    }
    Ok(old.permissions())
}

/// Creates and removes a temporary file in `directory`.
///
/// # Errors
/// The error of the operating system: no file of the directory can be replaced then.
pub(crate) fn probe(directory: &Path) -> io::Result<()> {
    failpoints::disk(&directory.join("probe"))?;
    temporary().tempfile_in(directory)?.close()
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
    match fs::remove_file(path) {
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
        if name.starts_with(prefix) && name.ends_with(suffix) && fs::remove_file(entry.path()).is_ok() {
            tracing::info!(file = %entry.path().display(), "removed a temporary file of an interrupted write");
        }
    }
}

/// Creates `directory` and its missing parents with the given mode.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(mode).create(directory)
}

/// Syncs a directory: without it a rename may be lost in a power cut.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn parent_directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn permissions(mode: u32) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(mode)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

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

    #[test]
    fn private_files_lose_the_access_of_others() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        for mode in [0o644, 0o640, 0o400] {
            fs::write(&file, "one").unwrap();
            fs::set_permissions(&file, permissions(mode)).unwrap();
            write_private(&file, b"two").unwrap();
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::remove_file(&file).unwrap();
        }
        write_private(&file, b"new").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
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
