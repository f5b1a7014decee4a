//! The state of the history, and the documents that a rollback has replaced.

use serde::Serialize;

/// The state of the history of generations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryStatus {
    /// The oldest generation that is recorded.
    pub oldest: Option<u64>,
    /// The reason for which the newest generations are not on the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A document of the control plane that a rollback has replaced by an earlier version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RolledBackDocument {
    /// The file, relative to the directory of config.toml.
    pub file: String,
    /// The generation that was restored.
    pub generation: u64,
    /// The name of the provider.
    pub provider: String,
    /// The id of the change that the control plane takes for applied here.
    pub change: String,
    /// The kind of its document, such as `pipeline`.
    pub kind: String,
}

/// Returns the reason for which rolled back documents keep the gateway out of sync; `None` without one.
pub(super) fn in_words(files: &[RolledBackDocument], address: Option<&str>) -> Option<String> {
    let RolledBackDocument { file, generation, provider, change, kind } = files.first()?;
    let provider = match address {
        Some(address) => format!("`{provider}` at {address}"),
        None => format!("`{provider}`"),
    };
    let more = match files.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    Some(format!(
        "rolled back to generation {generation}: {file}{more} is an earlier version than the {kind} change {change}, \
         which {provider} takes for applied; it ends with a newer change, a rollback to that version, or a push (`POST update`)"
    ))
}
