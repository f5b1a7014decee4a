//! Writing and restoring the files of a change.

use std::fs;
use std::io;
use std::path::Path;

use crate::diagnostics::mask::holds_secrets;
use crate::diagnostics::sensitive::Sensitive;
use crate::documents::Documents;
use crate::documents::edits::Edits;
use crate::documents::origins::Origins;
use crate::journal::Before;
use crate::storage::atomic_file;
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;

/// The reason for which files were not written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// A file was edited after the change was checked.
    Edited(String),
    /// A file cannot be written. The files before it are restored.
    Io { file: String, error: io::Error },
    /// A file cannot be written, and the files before it cannot be restored.
    Partial { file: String, error: io::Error },
}

/// Reads the target files as they are before the change is written.
///
/// # Errors
/// `Edited` if a file differs from `documents`.
pub(crate) fn before(root: &Path, documents: &Documents, edits: &Edits) -> Result<Vec<Before>, WriteError> {
    edits
        .iter()
        .map(|(name, new)| {
            let text = match fs::read(root.join(name)) {
                Ok(bytes) => Some(String::from_utf8(bytes).map_err(|_| WriteError::Edited(name.to_owned()))?),
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(WriteError::Io { file: name.to_owned(), error }),
            };
            // Also a file that `documents` do not have, such as one that was just created.
            if text.as_deref() != documents.text(name) {
                return Err(WriteError::Edited(name.to_owned()));
            }
            Ok(Before { name: name.to_owned(), text, written: hex(new) })
        })
        .collect()
}

/// Writes the files, each one atomically. Stops at a file that was edited after `before` was read.
///
/// # Errors
/// The first file that cannot be written. The files before it are restored, except after `Partial`.
pub(crate) fn write(
    root: &Path,
    edits: &Edits,
    before: &[Before],
    sensitive: &Sensitive,
) -> Result<(), WriteError> {
    for (name, text) in edits.iter() {
        let path = root.join(name);
        let was = before.iter().find(|file| file.name == name).and_then(|file| file.text.as_deref());
        if fs::read_to_string(&path).ok().as_deref() != was {
            return Err(match restore(root, before) {
                true => WriteError::Edited(name.to_owned()),
                false => WriteError::Partial { file: name.to_owned(), error: io::ErrorKind::Other.into() },
            });
        }
        let parent = path.parent().map_or(Ok(()), |parent| atomic_file::make_directory(parent, 0o755));
        // A new file that holds a secret is its owner's alone.
        let mode = if holds_secrets(text, sensitive) { 0o600 } else { 0o644 };
        if let Err(error) = parent.and_then(|()| atomic_file::write(&path, text.as_bytes(), mode)) {
            let file = name.to_owned();
            return Err(match restore(root, before) {
                true => WriteError::Io { file, error },
                false => WriteError::Partial { file, error },
            });
        }
        kill("part-written");
    }
    Ok(())
}

/// Restores the files one by one. Leaves a file alone that differs from the written text: an operator edited it.
/// Returns whether none of the written text is left.
pub(crate) fn restore(root: &Path, before: &[Before]) -> bool {
    let mut all = true;
    for file in before {
        let path = root.join(&file.name);
        let is_written = fs::read_to_string(&path).is_ok_and(|text| hex(&text) == file.written);
        if !is_written {
            continue;
        }
        let result = match &file.text {
            Some(text) => atomic_file::write(&path, text.as_bytes(), 0o600),
            None => atomic_file::remove(&path),
        };
        if let Err(error) = result {
            all = false;
            tracing::error!(file = file.name, %error, "the file as it was before the change cannot be restored");
        }
    }
    all
}

/// Restores the files, and the record of what came from a control plane. A file that an operator edited after the change
/// wrote it stays recorded. Returns whether none of the written text is left.
pub(crate) fn restore_with_origins(root: &Path, before: &[Before], origins: &Origins, change: &str) -> bool {
    let edited = edited(root, before);
    let restored = restore(root, before);
    if restored {
        let names = before.iter().map(|file| file.name.as_str());
        origins.unmark(change, names.filter(|name| !edited.iter().any(|edited| edited == name)));
    }
    restored
}

/// Returns the files that an operator edited: those with neither the earlier nor the written text.
pub(crate) fn edited(root: &Path, before: &[Before]) -> Vec<String> {
    let differs = |file: &&Before| {
        let now = fs::read_to_string(root.join(&file.name)).ok();
        now != file.text && now.as_deref().map(hex).as_ref() != Some(&file.written)
    };
    before.iter().filter(differs).map(|file| file.name.clone()).collect()
}

/// Returns whether `documents` hold the written text of all these files.
pub(crate) fn are_loaded(documents: &Documents, before: &[Before]) -> bool {
    before.iter().all(|file| documents.text(&file.name).is_some_and(|text| hex(text) == file.written))
}

/// Returns the checksum of a text in hexadecimal.
fn hex(text: &str) -> String {
    format!("{:#}", Digest::of(text.as_bytes()))
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Edited(file) => write!(f, "{file} was edited while the change was checked"),
            Self::Io { file, error } => write!(f, "{file} cannot be written: {error}"),
            Self::Partial { file, error } => {
                write!(f, "{file} cannot be written, and the files before it cannot be restored: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was edited since it was read is not replaced, and the files written before it are restored.
    #[test]
    fn edited_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (root, mut edits) = (dir.path(), Edits::default());
        for name in ["a.toml", "b.toml"] {
            fs::write(root.join(name), "old").unwrap();
            edits.insert(name, "new");
        }
        let file =
            |name: &str| Before { name: name.to_owned(), text: Some("old".to_owned()), written: hex("new") };
        let before = [file("a.toml"), file("b.toml")];
        fs::write(root.join("b.toml"), "by hand").unwrap();
        assert!(
            matches!(write(root, &edits, &before, &Sensitive::default()), Err(WriteError::Edited(name)) if name == "b.toml")
        );
        assert_eq!(fs::read_to_string(root.join("a.toml")).unwrap(), "old");
        assert_eq!(fs::read_to_string(root.join("b.toml")).unwrap(), "by hand");
        assert_eq!(edited(root, &before), ["b.toml"]);
    }
}
