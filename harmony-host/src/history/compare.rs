//! The comparison of two generations, file by file, without secrets.

use std::sync::Arc;

use serde::Serialize;
use similar::TextDiff;

use crate::diagnostics::mask::mask_secrets;
use crate::diagnostics::redaction::redact;
use crate::diagnostics::sensitive::Sensitive;
use crate::documents::secrecy::json_holds_secret;
use crate::history::{Manifest, NotRecorded};

/// The limit of all differences together, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The largest file whose lines are compared, in bytes.
const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The number of files that are compared.
const MAX_FILES: usize = 500;

/// The lines around each difference.
const CONTEXT: usize = 3;

/// The longest comparison of one file. What was found until then is still right, but may be longer than needed.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// A file that differs between two generations.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileDiff {
    pub(crate) name: String,
    /// `added`, `removed` or `edited`.
    pub(crate) change: &'static str,
    /// The difference in the unified format, without secrets; `None` where it is not shown.
    pub(crate) diff: Option<String>,
    /// The reason for which something is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// Returns the text of a file in a generation.
pub(crate) type TextOf<'t> = &'t dyn Fn(&Manifest, &str) -> Result<String, NotRecorded>;

/// Compares two generations. `sensitive` are the decisions which values are secret: what any of them hides is hidden. Returns
/// the files, and the number of those that are left out.
pub(crate) fn compare(
    from: &Manifest,
    to: &Manifest,
    sensitive: &[Arc<Sensitive>],
    text: TextOf<'_>,
) -> (Vec<FileDiff>, usize) {
    let names = from.files.keys().chain(to.files.keys());
    let differing = |name: &&String| {
        let digest = |side: &Manifest| side.files.get(*name).map(|file| file.digest.clone());
        digest(from) != digest(to)
    };
    let names: std::collections::BTreeSet<&String> = names.filter(differing).collect();
    let left_out = names.len().saturating_sub(MAX_FILES);
    let mut left = MAX_BYTES;
    let files = names.into_iter().take(MAX_FILES).map(|name| {
        let mut file = compare_file(from, to, name, sensitive, text);
        let length = file.diff.as_ref().map_or(0, String::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => {
                file.diff = None;
                file.note = Some("the difference is too long to be shown".to_owned());
            }
        }
        file
    });
    (files.collect(), left_out)
}

fn compare_file(
    from: &Manifest,
    to: &Manifest,
    name: &str,
    sensitive: &[Arc<Sensitive>],
    text: TextOf<'_>,
) -> FileDiff {
    let (before, after) = (from.files.get(name), to.files.get(name));
    let change = match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "edited",
    };
    let without = |note: String| FileDiff { name: name.to_owned(), change, diff: None, note: Some(note) };
    if before.into_iter().chain(after).any(|file| file.is_pem) {
        return without("a certificate or key: its text is not in the history".to_owned());
    }
    let read = |side: &Manifest| match side.files.contains_key(name) {
        true => text(side, name).map_err(|error| error.to_string()),
        false => Ok(String::new()),
    };
    let (old, new) = match (read(from), read(to)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(reason), _) | (_, Err(reason)) => return without(reason),
    };
    if old.len().max(new.len()) > MAX_FILE_BYTES {
        return without("the file is too large to be compared line by line".to_owned());
    }
    let is_json = name.ends_with(".json");
    if is_json && [&old, &new].iter().any(|text| !text.is_empty() && holds_secret(text, sensitive)) {
        return without("the file may hold a secret, and is not shown".to_owned());
    }
    let shown = |text: &str| match is_json {
        true => redact(text).into_owned(),
        false => without_secrets(text, sensitive),
    };
    let (shown_old, shown_new) = (shown(&old), shown(&new));
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(&shown_old, &shown_new);
    let header =
        |side: &str, exists: bool| if exists { format!("{side}/{name}") } else { "/dev/null".to_owned() };
    let diff = diff
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&header("a", before.is_some()), &header("b", after.is_some()))
        .to_string();
    let is_hidden = shown_old == shown_new;
    let note = is_hidden.then(|| "only the value of a secret, which is not shown".to_owned());
    FileDiff { name: name.to_owned(), change, diff: Some(diff).filter(|_| !is_hidden), note }
}

fn holds_secret(text: &str, sensitive: &[Arc<Sensitive>]) -> bool {
    sensitive.iter().any(|sensitive| json_holds_secret(text, sensitive))
}

/// Hides what is secret. Each value becomes as many asterisks as the longest that hides nothing of its length would be: their
/// number is that of the value, so it is made equal.
fn without_secrets(text: &str, sensitive: &[Arc<Sensitive>]) -> String {
    let masked = sensitive.iter().fold(text.to_owned(), |text, sensitive| mask_secrets(&text, sensitive));
    redact(&of_one_length(&masked)).into_owned()
}

/// Replaces each row of asterisks that a mask leaves by one of three: a difference must not tell the length of a secret.
fn of_one_length(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("***") {
        out.push_str(&rest[..at]);
        out.push_str("***");
        rest = rest[at..].trim_start_matches('*');
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
