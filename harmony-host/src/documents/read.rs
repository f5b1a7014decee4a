use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest file that is read.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The most files a directory of the configuration may hold.
pub(super) const MAX_FILES: usize = 10_000;

const ATTEMPTS: usize = 8;

/// Reads a file whole, again while somebody is writing to it.
///
/// # Errors
/// What the operating system says, and `InvalidData` for a file that is too large, no regular file, or
/// keeps changing under the reader's hands.
pub(super) fn stable(path: &Path) -> io::Result<Vec<u8>> {
    for _ in 0..ATTEMPTS {
        // Looked at before it is opened: opening a pipe waits for somebody who writes to it.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is no regular file"));
        }
        let mut file = fs::File::open(path)?;
        let before = file.metadata()?;
        let mut bytes = Vec::new();
        (&mut file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let message = format!("the file has more than {MAX_FILE_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let after = file.metadata()?;
        if before.modified()? == after.modified()? && after.len() == bytes.len() as u64 {
            return Ok(bytes);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the file keeps changing while it is read"))
}

/// The names of the files in `directory` that end with `.{extension}`, sorted; hidden files and what does
/// not lead to a file are left out. `None` when there is no such directory.
///
/// # Errors
/// What the operating system says; `InvalidData` for more than [`MAX_FILES`].
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
