//! Warnings about the files on the disk: secrets that others can read, and files that are not read.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::diagnostics::problem::Problems;

/// The most files that are named in one directory.
const MOST: usize = 20;

/// The depth of subdirectories that are looked into.
const DEPTH: usize = 3;

/// Adds a warning if others than its owner can read a file that holds a secret.
pub(super) fn check_access(path: &Path, name: &str, problems: &mut Problems) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let others = match metadata.mode() {
        mode if mode & 0o007 != 0 => "every user of this machine",
        mode if mode & 0o070 != 0 => "its group",
        _ => return,
    };
    problems
        .warn(None, name, format!("this file holds a secret, and {others} can read or write it"))
        .help(format!("`chmod 600 {}`", path.display()));
}

/// Adds a warning for each file that looks like a document and is not read: a file with a misspelled extension, in a
/// subdirectory, or in a directory with a misspelled name. Ignores hidden files and copies such as `a.toml.bak`.
pub(super) fn check_strays(root: &Path, directory: &str, extension: &str, problems: &mut Problems) {
    let mut strays = Vec::new();
    for path in shown(&root.join(directory)) {
        let name = name_of(&path);
        if path.is_dir() {
            if let Some(file) = first_below(&path, extension, DEPTH) {
                strays.push((format!("{name}/{file}"), "only files directly in this directory are read"));
            }
        } else if path
            .extension()
            .and_then(|found| found.to_str())
            .is_some_and(|found| is_near(found, extension))
        {
            strays.push((name.to_owned(), "the extension is misspelled"));
        }
        if strays.len() == MOST {
            break;
        }
    }
    strays.sort();
    for (file, reason) in strays {
        let name = format!("{}/{file}", directory.trim_end_matches('/'));
        problems.warn(None, name, format!("this file is not read: {reason}")).help(format!(
            "move it to {}/ with the extension `.{extension}`",
            directory.trim_end_matches('/')
        ));
    }
}

/// Adds a warning for each directory beside config.toml that has documents and a name that is nearly that of a directory
/// of a kind.
pub(super) fn check_misnamed(root: &Path, directories: [(&str, &str); 3], problems: &mut Problems) {
    let named: Vec<&str> = directories.iter().map(|(name, _)| name.trim_end_matches('/')).collect();
    for path in shown(root) {
        let name = name_of(&path);
        if named.contains(&name) || KINDS.contains(&name) {
            continue;
        }
        let meant =
            directories.iter().find(|(directory, _)| is_misnamed(name, directory.trim_end_matches('/')));
        let Some((directory, extension)) = meant.filter(|_| path.is_dir()) else { continue };
        if let Some(file) = first_below(&path, extension, 1) {
            problems
                .warn(
                    None,
                    format!("{name}/{file}"),
                    "this file is not read: its directory is none of the gateway's",
                )
                .help(format!("move it to {}/", directory.trim_end_matches('/')));
        }
    }
}

/// The names that the directories of kinds have unless they are configured.
const KINDS: [&str; 3] = ["pipelines", "mesh", "transforms"];

/// Returns whether a name differs from that of a directory by a letter, its case or its number.
fn is_misnamed(name: &str, directory: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix(directory).is_some_and(|rest| rest == "es" || rest.is_empty())
        || directory.len() > 3 && strsim::damerau_levenshtein(&name, directory) <= 1
}

/// Returns the name of the first document in a directory, or in those below it to a depth.
fn first_below(directory: &Path, extension: &str, depth: usize) -> Option<String> {
    let mut all = shown(directory);
    all.sort();
    let is_document =
        |path: &&PathBuf| path.extension().is_some_and(|found| found == extension) && path.is_file();
    if let Some(file) = all.iter().find(is_document) {
        return Some(name_of(file).to_owned());
    }
    let below =
        |path: &PathBuf| Some(format!("{}/{}", name_of(path), first_below(path, extension, depth - 1)?));
    (depth > 1).then(|| all.iter().filter(|path| path.is_dir()).find_map(below))?
}

/// Returns the entries of a directory that are not hidden.
fn shown(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| !name_of(path).is_empty()).collect()
}

/// Returns the name of a file; nothing for a hidden one, or one that is not UTF-8.
fn name_of(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.filter(|name| !name.starts_with('.')).unwrap_or_default()
}

fn is_near(found: &str, extension: &str) -> bool {
    found != extension
        && found.len() >= 2
        && strsim::damerau_levenshtein(&found.to_ascii_lowercase(), extension) <= 1
}
