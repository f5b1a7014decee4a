//! The marks of what came from a control plane, and their form on disk.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::documents::edits::Edits;
use crate::storage::sealed::{seal, unseal};

/// The version of the file format. Version 1 had one text for both parts of a mark, with `#` between them.
const SCHEMA: u32 = 2;

/// The mark of text that came from a control plane: a whole file, or a key in a file of which the rest is the operator's.
///
/// Both parts are apart, also on disk: a file name may have any character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// Set for a file in the overlay. Such a mark says nothing about the file of the same name in the base.
    pub(super) overlay: bool,
    /// The file, relative to the directory of config.toml.
    pub(super) file: String,
    /// The dotted key; `None` for the whole file.
    pub(super) key: Option<String>,
}

/// The marks of a configuration, each with the change that brought it first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(BTreeMap<Mark, String>);

#[derive(Serialize, Deserialize)]
struct Saved {
    schema: u32,
    #[serde(default)]
    remote: Vec<SavedMark>,
}

#[derive(Serialize, Deserialize)]
struct SavedMark {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    overlay: bool,
    file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    change: String,
}

/// The record of version 1.
#[derive(Deserialize)]
struct SavedJoined {
    marks: BTreeMap<String, String>,
}

impl Marks {
    /// Returns true if nothing came from a control plane.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what a change is about to write. A mark that is there already keeps its change.
    pub(super) fn add(&mut self, change: &str, edits: &Edits) {
        for (name, _) in edits.iter() {
            let overlay = edits.is_overlaid(name);
            let mark = |key: Option<&String>| Mark { overlay, file: name.to_owned(), key: key.cloned() };
            let new: Vec<Mark> = match edits.keys_of(name) {
                Some(keys) => keys.iter().map(|key| mark(Some(key))).collect(),
                None => vec![mark(None)],
            };
            for mark in new {
                self.0.entry(mark).or_insert_with(|| change.to_owned());
            }
        }
    }

    /// Removes the marks of `change` on these files.
    pub(super) fn remove<'n>(&mut self, change: &str, files: impl Iterator<Item = &'n str> + Clone) {
        self.0.retain(|mark, by| by != change || !files.clone().any(|file| file == mark.file));
    }

    /// Ends the marks of the files in the overlay for which `leaves` returns true. They are those of the base from now on
    /// if its text is the same.
    pub(super) fn leave_overlay(&mut self, leaves: impl Fn(&str) -> bool, same: bool) {
        let leaving = |mark: &Mark| mark.overlay && leaves(&mark.file);
        let left: Vec<(Mark, String)> = self.0.extract_if(.., |mark, _| leaving(mark)).collect();
        for (mark, by) in left.into_iter().filter(|_| same) {
            self.0.entry(Mark { overlay: false, ..mark }).or_insert(by);
        }
    }

    /// Returns the marks on a file. A file in the overlay may repeat what the base had from a control plane, so that has
    /// the marks of both.
    pub(super) fn of_file<'m>(&'m self, file: &'m str, overlaid: bool) -> impl Iterator<Item = &'m Mark> {
        self.0.keys().filter(move |mark| mark.file == file && (overlaid || !mark.overlay))
    }

    /// Returns the change that brought `mark` first.
    pub(super) fn change_of(&self, mark: &Mark) -> Option<&str> {
        self.0.get(mark).map(String::as_str)
    }

    /// Returns the bytes of the file: a first line with the SHA-256 of the rest, then JSON.
    ///
    /// # Errors
    /// An error of the encoder.
    pub(super) fn encode(&self) -> io::Result<Vec<u8>> {
        let saved = |(Mark { overlay, file, key }, change): (&Mark, &String)| SavedMark {
            overlay: *overlay,
            file: file.clone(),
            key: key.clone(),
            change: change.clone(),
        };
        seal(&Saved { schema: SCHEMA, remote: self.0.iter().map(saved).collect() })
    }

    /// Decodes a file of this version or an earlier one. `None` for a damaged one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let body = unseal(bytes).ok()?;
        let saved: Saved = serde_json::from_str(body).ok()?;
        match saved.schema {
            1 => Some(from_joined(serde_json::from_str(body).ok()?)),
            SCHEMA => {
                let mark = |saved: SavedMark| {
                    (Mark { overlay: saved.overlay, file: saved.file, key: saved.key }, saved.change)
                };
                Some(Self(saved.remote.into_iter().map(mark).collect()))
            }
            _ => None,
        }
    }
}

/// Returns the marks of version 1. Several meanings of a joined text are possible if the file name has a `#`; all of
/// them count, because none may make a value local.
fn from_joined(saved: SavedJoined) -> Marks {
    let mut marks = Marks::default();
    for (joined, change) in saved.marks {
        for (at, _) in joined.match_indices('#') {
            let (file, key) = (joined[..at].to_owned(), Some(joined[at + 1..].to_owned()));
            marks.0.insert(Mark { overlay: false, file, key }, change.clone());
        }
        marks.0.insert(Mark { overlay: false, file: joined, key: None }, change);
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::digest::Digest;

    fn has(marks: &Marks, file: &str, key: Option<&str>) -> bool {
        marks.of_file(file, false).any(|mark| mark.key.as_deref() == key)
    }

    #[test]
    fn names_with_any_character_stay_whole() {
        let mut edits = Edits::default();
        edits.insert("pipelines/v#1.toml", "x");
        edits.insert("config#a.toml", "x");
        edits.set_keys("config#a.toml", vec!["network.\"#n\".http".to_owned()]);
        let mut marks = Marks::default();
        marks.add("one", &edits);
        let read = Marks::decode(&marks.encode().unwrap()).unwrap();
        assert_eq!(read, marks);
        assert!(has(&read, "pipelines/v#1.toml", None) && !has(&read, "pipelines/v", Some("1.toml")));
        assert!(has(&read, "config#a.toml", Some("network.\"#n\".http")));
    }

    #[test]
    fn records_of_version_1_are_read() {
        let body = r#"{"schema":1,"marks":{"pipelines/v#1.toml":"a","pipelines/b.toml":"b","config.toml#network.n":"c"}}"#;
        let joined = format!("{:#}\n{body}\n", Digest::of(body.as_bytes()));
        let mut marks = Marks::decode(joined.as_bytes()).unwrap();
        assert!(has(&marks, "pipelines/v#1.toml", None) && has(&marks, "pipelines/b.toml", None));
        assert!(has(&marks, "config.toml", Some("network.n")) && !has(&marks, "config.toml", None));
        marks.remove("c", ["config.toml"].into_iter());
        assert!(!has(&marks, "config.toml", Some("network.n")));
    }
}
