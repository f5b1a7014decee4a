//! Reading of files and directories, with limits.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The size limit of a file, in bytes: a mistake such as a log file in the directory must not exhaust the memory.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The limit of files in a directory of the configuration.
pub(super) const MAX_FILES: usize = 10_000;

/// The number of attempts to read a file that changes meanwhile.
const ATTEMPTS: usize = 8;

/// Reads a whole file. Retries if the file changes during the read.
///
/// # Errors
/// The error of the operating system; `InvalidData` if the file is too large, is not a regular file, or still changes
/// at the last attempt.
pub(super) fn stable(path: &Path) -> io::Result<Vec<u8>> {
    for _ in 0..ATTEMPTS {
        // Before it is opened: opening a device can have effects.
        regular(&fs::metadata(path)?)?;
        let mut file = open(path)?;
        let before = file.metadata()?;
        regular(&before)?;
        let mut bytes = Vec::new();
        (&mut file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let megabytes = after_limit(&file.metadata()?);
            let message =
                format!("the file has {megabytes} MiB; the maximum is {} MiB", MAX_FILE_BYTES >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let after = file.metadata()?;
        if before.modified()? == after.modified()? && after.len() == bytes.len() as u64 {
            bytes.shrink_to_fit();
            return Ok(bytes);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the file keeps changing while it is read"))
}

/// Opens a file without waiting: a named pipe may have taken its place, and files of /proc have content only now and then.
fn open(path: &Path) -> io::Result<fs::File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn regular(metadata: &fs::Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let message = format!("this is {}, not a regular file", name_of(kind));
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

/// Returns the size of a file that is too large in MiB, with one decimal.
fn after_limit(metadata: &fs::Metadata) -> String {
    let tenths = (metadata.len().max(MAX_FILE_BYTES + 1) * 10).div_ceil(1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Returns the kind of a path that is no regular file.
fn name_of(kind: fs::FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// Returns the names of the files in `directory` that end with `.{extension}`, sorted. Hidden files and directories are
/// skipped. `None` if there is no such directory.
///
/// # Errors
/// The error of the operating system; `InvalidData` for more than [`MAX_FILES`] files.
pub(super) fn list(directory: &Path, extension: &str) -> io::Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let ends = Path::new(&name).extension().is_some_and(|e| e == extension);
        if !ends || name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            continue;
        }
        names.push(name);
        if names.len() > MAX_FILES {
            let message = format!("the directory has more than {MAX_FILES} files");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    names.sort();
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pipe can take the place of a file between the two looks at it.
    #[test]
    fn a_named_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("a.toml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let opened = open(&pipe).unwrap().metadata().unwrap();
        assert!(regular(&opened).unwrap_err().to_string().contains("a named pipe"));
        assert!(stable(&pipe).unwrap_err().to_string().contains("a named pipe"));
    }
}
