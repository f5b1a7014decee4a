//! Replacement of a file that others edit at the same time. The old file is compared after it was taken away, not before:
//! no edit can fall between comparing and replacing.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::storage::atomic_file::{self, Access, TEMPORARY, parent_directory, sync, target_of};
use crate::storage::digest::Digest;
use crate::storage::failpoints::{self, kill};
use crate::storage::operations::{remove_file, rename};
use crate::storage::renames::{exchange, place};

/// The decision if a content is the expected one.
pub(crate) type Matches<'m> = &'m dyn Fn(&[u8]) -> bool;

/// The result of replacing or removing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The file has another content than the expected one, and keeps it.
    Edited,
}

/// The limit of exchanges in a row, each of which met another edit.
const EXCHANGES: usize = 16;

/// The longest name of a file that is part of the name of what it displaced, in bytes.
const LONGEST: usize = 200;

/// Replaces the content of `path` if its old content is `expected`; `None` if there must be no such file. The file that
/// it replaces stays beside it until [`settle`] or [`put_back`]: an editor that has it open may still write to it.
///
/// With a rename that exchanges files, there is always a file at `path`. Without one, such as on NFS, the old file is
/// moved away first.
///
/// # Errors
/// The error of the operating system. [`put_back`] then restores the old file, if it was replaced.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    access: Access,
    expected: Option<Matches<'_>>,
) -> io::Result<Outcome> {
    let target = target_of(path)?;
    let aside = displaced(&target);
    free(&aside)?;
    let file = atomic_file::made(&target, bytes, access)?;
    kill("file-made");
    let Some(expected) = expected else {
        let placed = place(file.path(), &target)?;
        kill("file-renamed");
        sync(&parent_directory(&target))?;
        return Ok(if placed { Outcome::Done } else { Outcome::Edited });
    };
    // After a kill, this name says that the file may be an edit, which must not be swept away.
    rename(file.path(), &aside)?;
    kill("exchanging");
    let outcome = match swap(&aside, &target, expected) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            rename(&aside, file.path())?;
            swap_by_moves(Some(file.path()), &target, &aside, expected)?
        }
        swapped => swapped?,
    };
    kill("file-renamed");
    if outcome == Outcome::Edited && content(&aside)?.is_some_and(|content| content == bytes) {
        remove_file(&aside)?;
    }
    sync(&parent_directory(&target))?;
    Ok(outcome)
}

/// Puts back the file that [`replace`] displaced, if the content of `path` is still `written`. Returns `None` if nothing
/// was displaced.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn put_back(path: &Path, written: Matches<'_>) -> io::Result<Option<Outcome>> {
    let target = target_of(path)?;
    let aside = displaced(&target);
    if !exists(&aside) {
        return Ok(None);
    }
    let outcome = match swap(&aside, &target, written) {
        Ok(Outcome::Done) => {
            remove_file(&aside)?;
            Outcome::Done
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let moved = withdrawn(&target);
            let outcome = swap_by_moves(Some(&aside), &target, &moved, written)?;
            remove_if(&moved, written)?;
            outcome
        }
        swapped => swapped?,
    };
    sync(&parent_directory(&target))?;
    Ok(Some(outcome))
}

/// Removes `path` if its content is `written`. A missing file is not an error.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn remove(path: &Path, written: Matches<'_>) -> io::Result<Outcome> {
    let target = target_of(path)?;
    failpoints::disk(&target)?;
    let moved = withdrawn(&target);
    let outcome = swap_by_moves(None, &target, &moved, written)?;
    remove_if(&moved, written)?;
    sync(&parent_directory(&target))?;
    Ok(outcome)
}

/// Removes `path` if its content is `expected`. What it was stays beside it until [`settle`] or [`complete`], which puts it
/// back.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn withdraw(path: &Path, expected: Matches<'_>) -> io::Result<Outcome> {
    let target = target_of(path)?;
    failpoints::disk(&target)?;
    let outcome = swap_by_moves(None, &target, &displaced(&target), expected)?;
    sync(&parent_directory(&target))?;
    Ok(outcome)
}

/// Finishes what a kill interrupted while there was no file at `path`: returns the edit that was moved away, or else the
/// displaced file.
///
/// # Errors
/// The error of the operating system.
pub(crate) fn complete(path: &Path, written: Matches<'_>) -> io::Result<()> {
    let target = target_of(path)?;
    if exists(&target) {
        return Ok(());
    }
    let moved = withdrawn(&target);
    let edit = exists(&moved) && !content(&moved)?.is_some_and(|content| written(&content));
    let from = if edit { moved } else { displaced(&target) };
    if exists(&from) {
        place(&from, &target)?;
        sync(&parent_directory(&target))?;
    }
    Ok(())
}

/// Removes what was moved away beside `path`. Content that is not `known` is passed to `save` first.
///
/// # Errors
/// The error of `save` or of the operating system; the file is then left.
pub(crate) fn settle(
    path: &Path,
    known: Matches<'_>,
    save: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let target = target_of(path)?;
    for aside in [displaced(&target), withdrawn(&target)] {
        if !exists(&aside) {
            continue;
        }
        // An edit can be a symbolic link; one that leads nowhere has no content.
        if fs::metadata(&aside).is_ok_and(|metadata| metadata.is_file()) {
            let content = fs::read(&aside)?;
            if !known(&content) {
                save(&content)?;
            }
        }
        remove_file(&aside)?;
    }
    Ok(())
}

/// Returns the files in `directory` that writes moved away, each with the name of the file that it was.
pub(crate) fn left_in(directory: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let name_of = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix(TEMPORARY.0)?;
        let name = [DISPLACED, WITHDRAWN].iter().find_map(|suffix| name.strip_suffix(suffix))?.to_owned();
        Some((path, name))
    };
    entries.filter_map(|entry| name_of(entry.path())).collect()
}

const DISPLACED: &str = ".displaced";
const WITHDRAWN: &str = ".withdrawn";

/// Returns the path of the file that a write of `target` displaced.
fn displaced(target: &Path) -> PathBuf {
    beside(target, DISPLACED)
}

/// Returns the path to which `target` is moved for a moment.
fn withdrawn(target: &Path) -> PathBuf {
    beside(target, WITHDRAWN)
}

fn beside(target: &Path, suffix: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default();
    let name = match name.len() {
        0..=LONGEST => name.to_owned(),
        _ => OsString::from(format!("{:#}", Digest::of(name.as_encoded_bytes()))),
    };
    let mut hidden = OsString::from(TEMPORARY.0);
    hidden.push(name);
    hidden.push(suffix);
    parent_directory(target).join(hidden)
}

/// Exchanges `aside` and `target`. If what comes out is not `expected`, an edit was made meanwhile, and goes back; if yet
/// another edit comes out then, that is newer. The newest is at `target` in the end.
fn swap(aside: &Path, target: &Path, expected: Matches<'_>) -> io::Result<Outcome> {
    let mut placed: Option<Option<Vec<u8>>> = None;
    for _ in 0..EXCHANGES {
        let giving = content(aside)?;
        match exchange(aside, target) {
            Ok(()) => {}
            // The file was removed by hand, which is as good as an edit.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Edited),
            Err(error) => return Err(error),
        }
        kill("exchanged");
        let out = content(aside)?;
        match &placed {
            None if out.as_deref().is_some_and(expected) => return Ok(Outcome::Done),
            Some(placed) if out == *placed => return Ok(Outcome::Edited),
            _ => placed = Some(giving),
        }
    }
    Ok(Outcome::Edited)
}

/// Moves `target` to `aside`, and `new` to `target`, as a file system does without exchanges.
fn swap_by_moves(
    new: Option<&Path>,
    target: &Path,
    aside: &Path,
    expected: Matches<'_>,
) -> io::Result<Outcome> {
    free(aside)?;
    match rename(target, aside) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::Edited),
        Err(error) => return Err(error),
    }
    kill("exchanged");
    let placed = match content(aside)?.as_deref().is_some_and(expected) {
        true => new.map_or(Ok(true), |new| place(new, target))?,
        false => {
            place(aside, target)?;
            false
        }
    };
    Ok(if placed { Outcome::Done } else { Outcome::Edited })
}

/// Returns the content of a regular file; `None` for anything else.
fn content(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::read(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks that a file can be moved to `path` without replacing another.
fn free(path: &Path) -> io::Result<()> {
    match exists(path) {
        false => Ok(()),
        true => Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is in the way", path.display()))),
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn remove_if(path: &Path, written: Matches<'_>) -> io::Result<()> {
    match content(path)?.as_deref().is_some_and(written) {
        true => remove_file(path),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
