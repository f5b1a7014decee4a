//! The entries of the history: attempts to apply a configuration.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::history::Cause;

/// An attempt to apply a configuration, with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The number of the entry, counted from 1.
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
    pub(crate) cause: Cause,
    /// The users whom the edited files belong to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) users: Vec<String>,
    /// The digest of the configuration.
    pub(crate) digest: String,
    pub(crate) outcome: Outcome,
    /// The differences, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changed: Vec<String>,
    /// The files that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<Delta>,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The configuration is live as this generation.
    Applied {
        /// Its number.
        generation: u64,
    },
    /// The configuration was refused while `after` was served.
    Rejected {
        /// The generation that was served, and still is.
        after: u64,
        /// The step that refused it.
        class: String,
        /// The first problem.
        problem: String,
        /// The number of problems.
        problems: usize,
    },
}

/// A file of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileRef {
    /// The SHA-256 of its content.
    pub(crate) digest: String,
    /// Set for a key or certificate, whose text is not in the history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_pem: bool,
    /// Set for a file of the overlay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_overlaid: bool,
    /// The marks of what came from a control plane: dotted keys, or an empty text for the whole file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) remote: Vec<String>,
}

/// A file that differs from the generation before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delta {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<FileRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<FileRef>,
}

impl Entry {
    /// Returns the number of the generation, if the configuration is or was live.
    pub(crate) fn generation(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Applied { generation } => Some(generation),
            Outcome::Rejected { .. } => None,
        }
    }

    /// Returns the names of the files that changed, each with what happened to it.
    pub(crate) fn changed_files(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.files.iter().map(|file| {
            let change = match (&file.before, &file.after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "edited",
            };
            (file.name.as_str(), change)
        })
    }
}
