//! Changes that the provider lists and this gateway has not taken.

use serde::Serialize;

/// A change that the provider lists and this gateway has not taken, or has taken without the provider noting it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NotTaken {
    /// Its id at the provider.
    pub id: String,
    /// The kind of its document, such as `pipeline`.
    pub kind: String,
    /// The reason, in one sentence.
    pub reason: String,
}

impl NotTaken {
    pub(crate) fn new(id: &str, kind: &str, reason: &str) -> Self {
        Self { id: id.to_owned(), kind: kind.to_owned(), reason: reason.to_owned() }
    }
}

/// Returns all of them in one sentence; `None` without any.
pub(super) fn in_words(changes: &[NotTaken]) -> Option<String> {
    let NotTaken { id, kind, reason } = changes.first()?;
    let more = match changes.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    Some(format!("the {kind} change {id} stays pending: {reason}{more}"))
}
