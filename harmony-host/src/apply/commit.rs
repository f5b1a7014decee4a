//! Writing and restoring the files of a change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostics::sensitive::Sensitive;
use crate::documents::edits::Edits;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::{Documents, secrecy};
use crate::journal::{Before, OverBase};
use crate::storage::atomic_file::{self, Access};
use crate::storage::digest::Digest;
use crate::storage::exchange::{self, Matches, Outcome};
use crate::storage::failpoints::kill;
use crate::storage::io_error::{self, Explained};

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

/// Returns the text of a file as it was when it was checked.
pub(crate) type Known<'k> = &'k dyn Fn(&str) -> Option<&'k str>;

/// Reads the target files as they are before the change is written.
///
/// # Errors
/// `Edited` if a file differs from what is `known`.
pub(crate) fn before(layers: &Layers, known: Known<'_>, edits: &Edits) -> Result<Vec<Before>, WriteError> {
    let written = edits.iter().map(|(name, new)| (name, hex(new)));
    let removed = edits.removed().map(|name| (name, String::new()));
    written
        .chain(removed)
        .map(|(name, written)| {
            let failed = |error: io::Error| WriteError::Io { file: name.to_owned(), error };
            let text = match layers.current(name).map_err(failed)? {
                Some(bytes) => {
                    Some(String::from_utf8(bytes).map_err(|_| WriteError::Edited(name.to_owned()))?)
                }
                None => None,
            };
            // Also a file that `documents` do not have, such as one that was just created.
            let other_layer = layers.is_overlaid(name) && !edits.is_overlaid(name);
            if text.as_deref() != known(name) || other_layer {
                return Err(WriteError::Edited(name.to_owned()));
            }
            let (text, overlay) = match edits.is_overlaid(name) {
                false => (text, None),
                true => {
                    let digest = layers.base_digest(name).map_err(failed)?;
                    // The base keeps its text, so only the overlay is restored.
                    (text.filter(|_| layers.is_overlaid(name)), Some(OverBase { digest }))
                }
            };
            Ok(Before { name: name.to_owned(), overlay, text, written })
        })
        .collect()
}

/// Returns the path that is written.
fn path_of(layers: &Layers, file: &Before) -> PathBuf {
    let overlay = file.overlay.as_ref().and_then(|_| layers.overlay_path(&file.name));
    overlay.unwrap_or_else(|| layers.base_path(&file.name))
}

/// Returns whether the base of a file in the overlay was edited.
fn base_is_edited(layers: &Layers, file: &Before) -> bool {
    let base = file.overlay.as_ref().map(|base| base.digest.as_deref());
    base.is_some_and(|base| layers.base_digest(&file.name).is_ok_and(|now| now.as_deref() != base))
}

/// The decision who may read a file that is written.
#[derive(Clone, Copy)]
pub(crate) struct Modes<'m> {
    /// The decision which values are secret. Only its owner can read a file with one.
    pub(crate) sensitive: &'m Sensitive,
    /// Set if a file that is replaced keeps its permissions all the same: they are the operator's.
    pub(crate) keeps: bool,
}

/// Saves an edit that is no longer in a file, by the name of the file.
pub(crate) type Save<'s> = &'s dyn Fn(&str, &[u8]) -> io::Result<PathBuf>;

/// Writes the files, each one atomically. Stops at a file that was edited after `before` was read. The files that they
/// replace stay beside them until [`settle_displaced`] or [`restore`].
///
/// # Errors
/// The first file that cannot be written. The files before it are restored, except after `Partial`.
pub(crate) fn write(
    layers: &Layers,
    edits: &Edits,
    before: &[Before],
    modes: Modes<'_>,
    save: Save<'_>,
) -> Result<(), WriteError> {
    for file in before {
        let done = match edits.get(&file.name) {
            Some(text) => write_one(layers, file, text, modes),
            None if file.is_removed() => remove_one(layers, file),
            None => continue,
        };
        let error = match done {
            Ok(Outcome::Done) => {
                kill("part-written");
                continue;
            }
            Ok(Outcome::Edited) => None,
            Err(error) => Some(error),
        };
        let name = file.name.clone();
        return Err(match (restore(layers, before, save), error) {
            (true, None) => WriteError::Edited(name),
            (true, Some(error)) => WriteError::Io { file: name, error },
            (false, error) => {
                let error = error.unwrap_or_else(|| io::Error::other("it was edited meanwhile"));
                WriteError::Partial { file: name, error }
            }
        });
    }
    Ok(())
}

fn remove_one(layers: &Layers, file: &Before) -> io::Result<Outcome> {
    let old = file.text.as_deref().unwrap_or_default().as_bytes();
    match base_is_edited(layers, file) {
        true => Ok(Outcome::Edited),
        false => exchange::withdraw(&path_of(layers, file), &|now| now == old),
    }
}

fn write_one(layers: &Layers, file: &Before, text: &str, modes: Modes<'_>) -> io::Result<Outcome> {
    if base_is_edited(layers, file) {
        return Ok(Outcome::Edited);
    }
    let path = path_of(layers, file);
    // The overlay, and a file that holds a secret, are their owner's alone.
    let is_overlay = file.overlay.is_some();
    if let Some(parent) = path.parent() {
        match is_overlay {
            true => atomic_file::make_directory(parent, 0o700)?,
            false => atomic_file::make_directory_like_parent(parent)?,
        }
    }
    let keeps_mode = modes.keeps && file.text.is_some();
    let is_private = is_overlay || !keeps_mode && secrecy::holds_secret(&file.name, text, modes.sensitive);
    let access = if is_private { Access::Private } else { Access::LikeDirectory };
    match &file.text {
        Some(old) => exchange::replace(&path, text.as_bytes(), access, Some(&|now| now == old.as_bytes())),
        None => exchange::replace(&path, text.as_bytes(), access, None),
    }
}

/// Restores the files one by one. Leaves a file alone that differs from the written text: an operator edited it. An edit
/// that nothing leads to any more is saved. Returns whether none of the written text is left.
pub(crate) fn restore(layers: &Layers, before: &[Before], save: Save<'_>) -> bool {
    let mut all = true;
    for file in before {
        let path = path_of(layers, file);
        if let Err(error) = restore_one(&path, file).and_then(|()| settle_one(&path, file, save)) {
            all = false;
            let error = io_error::at(&path)(error);
            tracing::error!(%error, "the file as it was before the change cannot be restored");
        }
    }
    all
}

/// Puts a removed file back, unless there is one again.
fn restore_removed(path: &Path, file: &Before) -> io::Result<()> {
    exchange::complete(path, &|_| false)?;
    let is_there = fs::symlink_metadata(path).is_ok();
    if let Some(text) = file.text.as_ref().filter(|_| !is_there) {
        exchange::replace(path, text.as_bytes(), Access::Keep(0o600), None)?;
    }
    Ok(())
}

fn restore_one(path: &Path, file: &Before) -> io::Result<()> {
    if file.is_removed() {
        return restore_removed(path, file);
    }
    let written: Matches<'_> = &|now| is_written(file, now);
    if !fs::read(path).is_ok_and(|now| written(&now)) {
        return Ok(());
    }
    match (&file.text, exchange::put_back(path, written)?) {
        (_, Some(_)) => {}
        (Some(text), None) => {
            exchange::replace(path, text.as_bytes(), Access::Keep(0o600), Some(written))?;
        }
        (None, None) => {
            exchange::remove(path, written)?;
        }
    }
    Ok(())
}

/// Removes what the change moved away beside its files. An edit that was written there meanwhile is saved.
///
/// # Errors
/// The file that cannot be removed, or saved.
pub(crate) fn settle_displaced(layers: &Layers, before: &[Before], save: Save<'_>) -> io::Result<()> {
    before.iter().try_for_each(|file| {
        let path = path_of(layers, file);
        settle_one(&path, file, save).map_err(io_error::at(&path))
    })
}

fn settle_one(path: &Path, file: &Before, save: Save<'_>) -> io::Result<()> {
    let is_known =
        |now: &[u8]| is_written(file, now) || file.text.as_ref().is_some_and(|text| text.as_bytes() == now);
    exchange::settle(path, &is_known, &mut |edit| {
        let copy = save(&file.name, edit)?;
        tracing::warn!(
            file = file.name,
            copy = %copy.display(),
            "this file was edited while a change replaced it; a copy of the edit is saved"
        );
        Ok(())
    })
}

/// Returns whether a content is the text that the change wrote.
fn is_written(file: &Before, now: &[u8]) -> bool {
    format!("{:#}", Digest::of(now)) == file.written
}

/// Finishes what a kill interrupted while a file had no content: the restored file is there, or the edit of it.
pub(crate) fn complete(layers: &Layers, before: &[Before]) {
    for file in before {
        let path = path_of(layers, file);
        if let Err(error) = exchange::complete(&path, &|now| is_written(file, now)) {
            let error = io_error::at(&path)(error);
            tracing::error!(%error, "the file as it was before the change cannot be restored");
        }
    }
}

/// Restores the files of changes, and the record of what came from a control plane. A file that an operator edited after a
/// change wrote it stays recorded. Returns whether none of the written text is left.
pub(crate) fn restore_with_origins(
    layers: &Layers,
    changes: &[(&str, &[Before])],
    origins: &Origins,
    save: Save<'_>,
) -> bool {
    let left_alone: Vec<Vec<String>> = changes.iter().map(|(_, before)| edited(layers, before)).collect();
    let restored: Vec<bool> = changes.iter().map(|(_, before)| restore(layers, before, save)).collect();
    let all = restored.iter().all(|restored| *restored);
    if all {
        let unmarked = changes.iter().zip(&left_alone).map(|((change, before), edited)| {
            let names = before.iter().map(|file| file.name.as_str());
            (*change, names.filter(|name| !edited.iter().any(|edited| edited == name)).collect())
        });
        origins.unmark(&unmarked.collect::<Vec<_>>());
    }
    all
}

/// Returns the files that an operator edited: those with neither the earlier nor the written text, and those in the
/// overlay whose base is another.
pub(crate) fn edited(layers: &Layers, before: &[Before]) -> Vec<String> {
    let differs = |file: &&Before| {
        let now = fs::read_to_string(path_of(layers, file)).ok();
        let is_written = match file.is_removed() {
            true => now.is_none(),
            false => now.as_deref().map(hex).as_ref() == Some(&file.written),
        };
        let replaced = now != file.text && !is_written;
        replaced || base_is_edited(layers, file)
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
            Self::Io { file, error } => write!(f, "{file} cannot be written: {}", Explained(error)),
            Self::Partial { file, error } => {
                let reason = Explained(error);
                write!(f, "{file} cannot be written, and the files before it cannot be restored: {reason}")
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
        let file = |name: &str| Before {
            name: name.to_owned(),
            overlay: None,
            text: Some("old".to_owned()),
            written: hex("new"),
        };
        let layers = Layers::base_only(&root.join("config.toml"));
        let before = [file("a.toml"), file("b.toml")];
        fs::write(root.join("b.toml"), "by hand").unwrap();
        assert!(
            matches!(write(&layers, &edits, &before, Modes { sensitive: &Sensitive::default(), keeps: false }, &|_, _| Ok(PathBuf::new())), Err(WriteError::Edited(name)) if name == "b.toml")
        );
        assert_eq!(fs::read_to_string(root.join("a.toml")).unwrap(), "old");
        assert_eq!(fs::read_to_string(root.join("b.toml")).unwrap(), "by hand");
        assert_eq!(edited(&layers, &before), ["b.toml"]);
    }
}
