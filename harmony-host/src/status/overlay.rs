//! The status of the overlay: what is kept instead of the files of a read-only configuration.

use jiff::Timestamp;
use serde::Serialize;

use crate::documents::overlay::{Displaced, ReadOnly};
use crate::documents::settle::{OverlayEntry, OverlayReport};

/// The overlay over a configuration that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OverlayStatus {
    /// The directory of its files, which have the names of the files that they are read instead of.
    pub directory: String,
    /// The paths of the configuration that cannot be written; empty if they all can be written by now.
    pub read_only: Vec<ReadOnlyPath>,
    /// The files in the overlay.
    pub files: Vec<OverlaidFile>,
    /// The files that left the overlay because their base was edited, oldest first. At most 20.
    pub displaced: Vec<DisplacedFile>,
}

/// A path of a configuration that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReadOnlyPath {
    /// The directory, or a file that is mounted by itself.
    pub path: String,
    /// The error of the operating system.
    pub reason: String,
}

/// A file in the overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OverlaidFile {
    /// The name, relative to the directory of config.toml.
    pub file: String,
    /// The path in the overlay.
    pub path: String,
    /// The path of the base, which is not read while the file is in the overlay.
    pub base: String,
    /// The kind of the change that wrote it, such as `pipeline`; `None` for an edit by hand.
    pub kind: Option<String>,
    /// The id of the change that wrote it; `None` for an edit by hand.
    pub change: Option<String>,
    /// The time of the write.
    pub at: Option<Timestamp>,
    /// Set if the base was edited since: the edit holds, and the file leaves the overlay once the edit is live.
    pub displaced: bool,
}

/// A file that left the overlay because its base was edited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DisplacedFile {
    /// The name, relative to the directory of config.toml.
    pub file: String,
    /// The id of the change that wrote it; `None` for an edit by hand.
    pub change: Option<String>,
    /// The time at which it left.
    pub at: Timestamp,
    /// The path of a copy.
    pub copy: String,
}

impl From<OverlayReport> for OverlayStatus {
    fn from(report: OverlayReport) -> Self {
        Self {
            directory: report.directory.display().to_string(),
            read_only: report.read_only.into_iter().map(Into::into).collect(),
            files: report.entries.into_iter().map(Into::into).collect(),
            displaced: report.displaced.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ReadOnly> for ReadOnlyPath {
    fn from(ReadOnly { path, reason }: ReadOnly) -> Self {
        Self { path: path.display().to_string(), reason }
    }
}

impl From<OverlayEntry> for OverlaidFile {
    fn from(entry: OverlayEntry) -> Self {
        let (change, kind) = entry.change.unzip();
        Self {
            file: entry.file,
            path: entry.path.display().to_string(),
            base: entry.base.display().to_string(),
            kind,
            change,
            at: entry.at,
            displaced: entry.displaced,
        }
    }
}

impl From<Displaced> for DisplacedFile {
    fn from(Displaced { file, change, at, copy }: Displaced) -> Self {
        Self { file, change, at, copy: copy.display().to_string() }
    }
}
