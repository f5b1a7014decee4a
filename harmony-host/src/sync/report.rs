use serde::Serialize;

/// What one round did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SyncReport {
    /// The changes that are live now.
    pub applied: Vec<ChangeReport>,
    /// The changes that are not, and why.
    pub rejected: Vec<ChangeReport>,
    /// The changes that wait for something.
    pub held: Vec<ChangeReport>,
    /// Why the round did not get to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of one change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeReport {
    /// Its id at the provider.
    pub id: String,
    /// What it is about.
    pub kind: String,
    /// `applied`, `rejected` or `held`.
    pub verdict: &'static str,
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
