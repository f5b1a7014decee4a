//! The proposal of a change: the files that it would write.

mod base;
mod definition;
mod gateway;
mod layout;
mod legacy;
mod local_keys;
mod meaning;
mod merge;
mod outcome;
mod own_files;
mod proposed;
pub(crate) mod record;

use provider_api::{Change, DocumentKind, RejectionClass};

pub(crate) use crate::apply::proposal::base::Base;
use crate::apply::proposal::proposed::Proposed;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::diagnostics::source::Source;
use crate::documents::MAX_FILE_BYTES;
use crate::documents::edits::Edits;

/// Returns the files that `change` would write, compared with the current ones. Files that have the proposed text already
/// are left out.
///
/// # Errors
/// All problems: documents with a wrong syntax, names that are not allowed as file names, and settings that a remote
/// control plane may not change.
pub(crate) fn edits(change: &Change, base: &Base<'_>) -> Result<Edits, Rejection> {
    let mut proposed = Proposed { change, base, edits: Edits::default(), problems: Problems::default() };
    let class = propose(&mut proposed);
    if proposed.problems.refuse() {
        return Err(Rejection::new(class, proposed.problems));
    }
    Ok(proposed.edits)
}

/// Fills in the edits and problems. Returns the class of the problems.
fn propose(proposed: &mut Proposed<'_>) -> RejectionClass {
    let Change { id, kind, document, attachments } = proposed.change;
    if let DocumentKind::Unknown(kind) = kind {
        let message = format!("the change has the unknown type `{}`", kind.escape_debug());
        proposed.problems.error(None, "type", message).help("expected gateway, pipeline, transform or mesh");
        return RejectionClass::Validate;
    }
    let source = Source::new(format!("{} change {id}", kind.as_str()), document.as_str());
    let mut all = std::iter::once(document).chain(attachments.iter().map(|a| &a.content));
    if let Some(text) = all.find(|text| text.len() as u64 > MAX_FILE_BYTES) {
        let message = format!("the document has {} bytes; the limit is {MAX_FILE_BYTES}", text.len());
        proposed.problems.error(None, "toml_config", message);
        return RejectionClass::Validate;
    }
    let class = match kind {
        DocumentKind::Gateway => gateway::propose(proposed, &source),
        _ => definition::propose(proposed, kind, &source),
    };
    own_files::check(proposed, &source);
    attachments.iter().for_each(|attachment| proposed.attach(attachment));
    local_keys::check(proposed, &source);
    class
}

#[cfg(test)]
mod tests;
