//! What a provider's change proposes: the files it would write, before anything is written.

mod gateway;
mod part;

use provider_api::{Attachment, Change, DocumentKind, Registry, RejectionClass};

use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::diagnostics::source::{Place, Source};
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
    let class = proposed.propose();
    if proposed.problems.refuse() {
        return Err(Rejection::new(class, proposed.problems));
    }
    Ok(proposed.edits)
}

struct Proposed<'a> {
    change: &'a Change,
    documents: &'a Documents,
    registry: &'a Registry,
    edits: Edits,
    problems: Problems,
}

impl Proposed<'_> {
    /// Says which step it was, should there be problems.
    fn propose(&mut self) -> RejectionClass {
        let Change { id, kind, document, attachments } = self.change;
        if let DocumentKind::Unknown(kind) = kind {
            let message = format!("`{}` is no type of change this gateway knows", kind.escape_debug());
            self.problems.error(None, "type", message).help("known are: gateway, pipeline, transform, mesh");
            return RejectionClass::Validate;
        }
        let source = Source::new(format!("{} change {id}", kind.as_str()), document.as_str());
        let mut all = std::iter::once(document).chain(attachments.iter().map(|a| &a.content));
        if let Some(text) = all.find(|text| text.len() as u64 > MAX_FILE_BYTES) {
            let message = format!("{} bytes are more than the {MAX_FILE_BYTES} of a file", text.len());
            self.problems.error(None, "toml_config", message);
            return RejectionClass::Validate;
        }
        let class = match kind {
            DocumentKind::Gateway => gateway::propose(self, &source),
            _ => part::propose(self, kind, &source),
        };
        attachments.iter().for_each(|attachment| self.attach(attachment));
        class
    }

    /// A transform that a pipeline needs.
    fn attach(&mut self, attachment: &Attachment) {
        let Some(directory) = self.directory(&DocumentKind::Transform) else { return };
        // Ids of the control plane, which are ULIDs and so in capitals.
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let Attachment { name, content } = attachment;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            let message = format!("`{}` may not become a file name", name.escape_debug());
            self.problems
                .error(None, "spec_path", message)
                .help("expected 1 to 64 of A-Z, a-z, 0-9, _ and -");
            return;
        }
        self.json(None, &format!("the transform {name}"), content);
        self.write(format!("{directory}{name}.json"), content);
    }

    fn json(&mut self, place: Option<&Place>, key: &str, text: &str) {
        if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            self.problems.error(place, key, format!("this is not JSON, at {}:{}", e.line(), e.column()));
        }
    }

    /// Proposes a file, unless it says this already.
    fn write(&mut self, name: String, text: &str) {
        if self.documents.text(&name) == Some(text) {
            self.edits.insert_same(name);
        } else {
            self.edits.insert(name, text);
        }
    }

    /// The directory of the files of a kind, with a slash at its end.
    fn directory(&mut self, kind: &DocumentKind) -> Option<String> {
        let gateway = self.documents.fragments().find_map(|fragment| fragment.gateway.as_ref());
        let Some(proxy) = gateway.map(|gateway| &gateway.proxy) else {
            self.problems.error(None, "config.toml", "it says nothing that can be read");
            return None;
        };
        let directory = match kind {
            DocumentKind::Pipeline => &proxy.pipelines_path,
            DocumentKind::Mesh => &proxy.mesh_path,
            _ => &proxy.transforms_path,
        };
        Some(directory.below())
    }
}

#[cfg(test)]
mod tests;
