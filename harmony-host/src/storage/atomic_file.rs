//! Files that are either the old or the new one, whatever happens in between.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::storage::failpoints;

/// What the name of a file that is not yet in its place starts and ends with.
const TEMPORARY: (&str, &str) = (".harmony-", ".tmp");

/// Puts `bytes` where `path` leads: into a new file beside it, made durable, then renamed onto it, and the
/// directory made durable. A link is followed, so that what it leads to is replaced and it stays a link. The
/// permissions of a file that is replaced are kept; a new one gets `mode`, less what the umask takes away.
///
/// # Errors
/// What the operating system says; `path` is then what it was, or, when only the last step failed, new.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let place = fs::canonicalize(path).or_else(|e| match e.kind() {
        io::ErrorKind::NotFound => Ok(path.to_owned()),
        _ => Err(e),
    })?;
    let directory = directory(&place);
    let old = fs::metadata(&place).ok().map(|old| old.permissions());
    let (prefix, suffix) = TEMPORARY;
    let mut named = tempfile::Builder::new();
    named.prefix(prefix).suffix(suffix);
    // What is replaced may be less readable than what is new: until it has its permissions it is for its owner only.
    if old.is_none() {
        named.permissions(permissions(mode));
    }
    let mut file = named.tempfile_in(&directory)?;
    failpoints::disk(&place)?;
    file.write_all(bytes)?;
    if let Some(old) = old {
        file.as_file().set_permissions(old)?;
    }
    file.as_file().sync_all()?;
    failpoints::kill("file-made");
    file.persist(&place).map_err(|e| e.error)?;
    failpoints::kill("file-renamed");
    sync(&directory)
}

/// Removes a file and makes that durable. One that is gone already is no error.
///
/// # Errors
/// What the operating system says.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    failpoints::disk(path)?;
    match fs::remove_file(path) {
        Ok(()) => sync(&directory(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Removes what a process that was killed left half written in `directory`.
pub(crate) fn sweep(directory: &Path) {
    let (prefix, suffix) = TEMPORARY;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(prefix) && name.ends_with(suffix) && fs::remove_file(entry.path()).is_ok() {
            tracing::info!(file = %entry.path().display(), "a file left half written was removed");
        }
    }
}

/// Makes `directory` and its parents with the given mode, where they are missing.
///
/// # Errors
/// What the operating system says.
pub(crate) fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(mode).create(directory)
}

/// Makes the entries of a directory durable.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn directory(path: &Path) -> PathBuf {
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
    fn a_file_keeps_its_permissions_and_a_link_stays_a_link() {
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
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside them");
    }

    /// A umask is the whole process's, so that this is a process of its own.
    #[test]
    fn a_new_file_is_no_more_open_than_the_umask_says() {
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
    #[ignore = "the process of the test before"]
    fn writes_a_file() {
        let Some(path) = std::env::var_os("WRITES_TO") else { return };
        write(Path::new(&path), b"new", 0o644).unwrap();
    }

    #[test]
    fn what_was_left_half_written_is_swept_and_nothing_else() {
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
