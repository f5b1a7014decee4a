//! Warnings about the files on the disk: secrets that others can read, and files that are not read.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::diagnostics::mask::holds_secrets;
use crate::diagnostics::problem::Problems;
use crate::documents::{Content, Document, secrecy};

/// The most files that are named in one directory.
const MOST: usize = 20;

/// Returns whether a file holds a secret: a private key, or a value of a document.
pub(super) fn is_secret(document: &Document) -> bool {
    match &document.content {
        Content::Toml(fragment) => holds_secrets(fragment.source.text(), &fragment.source.sensitive()),
        Content::Pem(pem) => pem.expose().contains("PRIVATE KEY-----"),
        Content::Transform(source) => {
            secrecy::holds_secret(source.name(), source.text(), &source.sensitive())
        }
    }
}

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

/// Adds a warning for each file that looks like a document and is not read: a file with a misspelled extension, or in a
/// subdirectory. Ignores hidden files and copies such as `a.toml.bak`.
pub(super) fn check_strays(root: &Path, directory: &str, extension: &str, problems: &mut Problems) {
    let mut strays = Vec::new();
    for entry in fs::read_dir(root.join(directory)).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        if path.is_dir() {
            let below = fs::read_dir(&path).into_iter().flatten().flatten();
            let mut files = below.filter_map(|entry| entry.file_name().into_string().ok());
            if let Some(file) = files.find(|file| {
                !file.starts_with('.') && Path::new(file).extension().is_some_and(|found| found == extension)
            }) {
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

fn is_near(found: &str, extension: &str) -> bool {
    found != extension
        && found.len() >= 2
        && strsim::damerau_levenshtein(&found.to_ascii_lowercase(), extension) <= 1
}
