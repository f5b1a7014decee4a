//! Reports on changes.

use serde::Serialize;

/// The report on one change.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ChangeReport {
    /// Its id at the provider.
    pub id: String,
    /// The kind of its document, such as `pipeline`.
    pub kind: String,
    /// The outcome.
    pub verdict: ChangeOutcome,
    /// The step that rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The reason, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Every problem found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// The time of the outcome.
    pub at: jiff::Timestamp,
}

/// The outcome of a change, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChangeOutcome {
    /// The change is live.
    Applied,
    /// The change is not live; nothing of it is left in the files.
    Rejected,
    /// The change has no verdict yet; it is tried again.
    Held,
}
