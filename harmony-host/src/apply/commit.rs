//! Writing the files of a proposal, and taking them back.

use std::fs;
use std::io;
use std::path::Path;

use crate::documents::Documents;
use crate::documents::edits::Edits;
use crate::journal::Before;
use crate::storage::atomic_file;
use crate::storage::digest::Digest;
use crate::storage::failpoints::kill;

/// Why files were not written.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// A file is not what it was when the proposal was checked: somebody edited it meanwhile.
    Edited(String),
    /// The operating system refused; what was written is taken back.
    Refused { file: String, error: io::Error },
    /// The operating system refused that too: some of it is written.
    Half { file: String, error: io::Error },
}

/// What the files are before they are written.
///
/// # Errors
/// `Edited`, when one is not what `documents` say.
pub(crate) fn before(root: &Path, documents: &Documents, edits: &Edits) -> Result<Vec<Before>, NotWritten> {
    edits
        .iter()
        .map(|(name, new)| {
            let text = match fs::read(root.join(name)) {
                Ok(bytes) => Some(String::from_utf8(bytes).map_err(|_| NotWritten::Edited(name.to_owned()))?),
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(NotWritten::Refused { file: name.to_owned(), error }),
            };
            // A file that the configuration does not take in, such as one that was just put there.
            if text.as_deref() != documents.text(name) {
                return Err(NotWritten::Edited(name.to_owned()));
            }
            Ok(Before { name: name.to_owned(), text, written: hex(new) })
        })
        .collect()
}

/// Writes the files, each whole or not at all, and none that was edited since `before` was taken.
///
/// # Errors
/// The first that could not be written; those before it are taken back, or it says that they are not.
pub(crate) fn write(root: &Path, edits: &Edits, before: &[Before]) -> Result<(), NotWritten> {
    for (name, text) in edits.iter() {
        let path = root.join(name);
        let was = before.iter().find(|file| file.name == name).and_then(|file| file.text.as_deref());
        if fs::read_to_string(&path).ok().as_deref() != was {
            return Err(match take_back(root, before) {
                true => NotWritten::Edited(name.to_owned()),
                false => NotWritten::Half { file: name.to_owned(), error: io::ErrorKind::Other.into() },
            });
        }
        let parent = path.parent().map_or(Ok(()), |parent| atomic_file::make_directory(parent, 0o755));
        if let Err(error) = parent.and_then(|()| atomic_file::write(&path, text.as_bytes(), 0o644)) {
            let file = name.to_owned();
            return Err(match take_back(root, before) {
                true => NotWritten::Refused { file, error },
                false => NotWritten::Half { file, error },
            });
        }
        kill("part-written");
    }
    Ok(())
}

/// Puts back what was there before, file by file; a file that is not what was written is somebody's edit and
/// is left alone. Returns whether all that was written is gone.
pub(crate) fn take_back(root: &Path, before: &[Before]) -> bool {
    let mut all = true;
    for file in before {
        let path = root.join(&file.name);
        let is_written = fs::read_to_string(&path).is_ok_and(|text| hex(&text) == file.written);
        if !is_written {
            continue;
        }
        let result = match &file.text {
            Some(text) => atomic_file::write(&path, text.as_bytes(), 0o644),
            None => atomic_file::remove(&path),
        };
        if let Err(error) = result {
            all = false;
            tracing::error!(file = file.name, %error, "what was there before the change cannot be put back");
        }
    }
    all
}

/// Which of these files are neither what they were nor what was written: somebody edited them.
pub(crate) fn edited(root: &Path, before: &[Before]) -> Vec<String> {
    let differs = |file: &&Before| {
        let now = fs::read_to_string(root.join(&file.name)).ok();
        now != file.text && now.as_deref().map(hex).as_ref() != Some(&file.written)
    };
    before.iter().filter(differs).map(|file| file.name.clone()).collect()
}

/// Whether these files, as `before` says that they were written, are what `documents` hold.
pub(crate) fn are_in(documents: &Documents, before: &[Before]) -> bool {
    before.iter().all(|file| documents.text(&file.name).is_some_and(|text| hex(text) == file.written))
}

fn hex(text: &str) -> String {
    format!("{:#}", Digest::of(text.as_bytes()))
}

impl std::fmt::Display for NotWritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Edited(file) => write!(f, "{file} was edited while the change was checked"),
            Self::Refused { file, error } => write!(f, "{file} cannot be written: {error}"),
            Self::Half { file, error } => {
                write!(f, "{file} cannot be written, and what was written cannot be taken back: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_edited_since_it_was_looked_at_is_not_replaced_and_what_was_written_is_taken_back() {
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
        assert!(matches!(write(root, &edits, &before), Err(NotWritten::Edited(name)) if name == "b.toml"));
        assert_eq!(fs::read_to_string(root.join("a.toml")).unwrap(), "old");
        assert_eq!(fs::read_to_string(root.join("b.toml")).unwrap(), "by hand");
        assert_eq!(edited(root, &before), ["b.toml"]);
    }
}
