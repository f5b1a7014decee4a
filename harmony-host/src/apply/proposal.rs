//! What a provider's change proposes: the files it would write, before anything is written.

mod gateway;
mod part;
mod proposed;

use provider_api::{Change, DocumentKind, Registry, RejectionClass};

use crate::apply::proposal::proposed::Proposed;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::diagnostics::source::Source;
use crate::documents::edits::Edits;
use crate::documents::{Documents, MAX_FILE_BYTES};

/// The files that `change` would write, given the files as they are. Empty when they already say what the
/// change says.
///
/// # Errors
/// Every problem: what is not what its kind is written in, what may not become a file name, and what a remote
/// control plane may not change.
pub(crate) fn edits(change: &Change, documents: &Documents, registry: &Registry) -> Result<Edits, Rejection> {
    let mut proposed =
        Proposed { change, documents, registry, edits: Edits::default(), problems: Problems::default() };
    let class = propose(&mut proposed);
    if proposed.problems.refuse() {
        return Err(Rejection::new(class, proposed.problems));
    }
    Ok(proposed.edits)
}

/// Works out the files. Returns the step that any problems are of.
fn propose(proposed: &mut Proposed<'_>) -> RejectionClass {
    let Change { id, kind, document, attachments } = proposed.change;
    if let DocumentKind::Unknown(kind) = kind {
        let message = format!("`{}` is no type of change this gateway knows", kind.escape_debug());
        proposed.problems.error(None, "type", message).help("known are: gateway, pipeline, transform, mesh");
        return RejectionClass::Validate;
    }
    let source = Source::new(format!("{} change {id}", kind.as_str()), document.as_str());
    let mut all = std::iter::once(document).chain(attachments.iter().map(|a| &a.content));
    if let Some(text) = all.find(|text| text.len() as u64 > MAX_FILE_BYTES) {
        let message = format!("{} bytes are more than the {MAX_FILE_BYTES} of a file", text.len());
        proposed.problems.error(None, "toml_config", message);
        return RejectionClass::Validate;
    }
    let class = match kind {
        DocumentKind::Gateway => gateway::propose(proposed, &source),
        _ => part::propose(proposed, kind, &source),
    };
    attachments.iter().for_each(|attachment| proposed.attach(attachment));
    class
}

#[cfg(test)]
mod tests;
