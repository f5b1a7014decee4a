//! The outcome of a change, for people.

use serde::Serialize;

/// What became of one change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeReport {
    /// Its id at the provider.
    pub id: String,
    /// What it is about.
    pub kind: String,
    /// The outcome.
    pub verdict: ChangeOutcome,
    /// The step that rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// One sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Every problem found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// When.
    pub at: jiff::Timestamp,
}

/// The outcome of a change, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOutcome {
    /// It is live.
    Applied,
    /// It is not, and nothing of it was kept.
    Rejected,
    /// It has no verdict yet and waits for something.
    Held,
}
