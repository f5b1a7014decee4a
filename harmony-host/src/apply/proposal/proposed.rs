//! The files that a change proposes.

use std::path::Path;

use provider_api::{Attachment, Change, DocumentKind};

use crate::apply::proposal::base::Base;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Place;
use crate::documents::directories::same_file;
use crate::documents::edits::Edits;

/// The inputs of a proposal, and its edits and problems so far.
pub(super) struct Proposed<'a> {
    pub(super) change: &'a Change,
    pub(super) base: &'a Base<'a>,
    pub(super) edits: Edits,
    pub(super) problems: Problems,
}

impl Proposed<'_> {
    /// Adds an attachment: a transform that the pipeline of the change needs.
    pub(super) fn attach(&mut self, attachment: &Attachment) {
        let Some(directory) = self.directory(&DocumentKind::Transform) else { return };
        // Attachments are named by ids of the control plane: ULIDs, which have capital letters.
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let Attachment { name, content } = attachment;
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            let message = format!("`{}` is not allowed as a file name", name.escape_debug());
            self.problems
                .error(None, "spec_path", message)
                .help("expected 1 to 64 of A-Z, a-z, 0-9, _ and -");
            return;
        }
        self.json(None, &format!("the transform {name}"), content);
        self.write(format!("{directory}{name}.json"), content);
    }

    /// Adds a problem if `text` is not JSON.
    pub(super) fn json(&mut self, place: Option<&Place>, key: &str, text: &str) {
        if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            self.problems.error(place, key, format!("this is not JSON, at {}:{}", e.line(), e.column()));
        }
    }

    /// Adds an edit that writes `text` to the file `name`, unless the file has that text already.
    pub(super) fn write(&mut self, name: String, text: &str) {
        let path = self.base.documents.config_path();
        let root = path.parent().unwrap_or_else(|| Path::new(""));
        let config = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Over a link a change would write a file that is not its own, such as config.toml.
        if let Some(other) =
            same_file(root, &name, config, self.base.documents.entries().map(|(name, _)| name))
        {
            let message = format!("this file is a link to `{other}`, which the change must not write");
            self.problems.error(None, name, message).help("replace the link by a file");
            return;
        }
        if self.base.documents.text(&name) == Some(text) {
            self.edits.insert_same(name);
        } else {
            self.edits.insert(name, text);
        }
    }

    /// Returns the directory for files of a kind, with a slash at its end.
    pub(super) fn directory(&mut self, kind: &DocumentKind) -> Option<String> {
        let gateway = self.base.gateway().and_then(|fragment| fragment.gateway.as_deref());
        let Some(proxy) = gateway.map(|gateway| &gateway.proxy) else {
            self.problems.error(None, "config.toml", "the file cannot be read");
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
