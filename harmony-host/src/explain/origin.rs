//! The origin of a definition or a key: its file and line, its layer, and the change that wrote it.

use serde::Serialize;

use crate::diagnostics::source::Place;
use crate::documents::origins::CameFrom;
use crate::explain::Asked;
use crate::storage::digest::full;

/// The origin of a part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Origin {
    /// The part, such as `pipeline images`.
    pub(crate) part: String,
    /// The file, relative to config.toml.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// `file`: beside config.toml; `overlay`: in the state directory, over a file that cannot be replaced.
    pub(crate) layer: &'static str,
    /// The path of the file in the overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overlay: Option<String>,
    /// The author: `operator`, `control plane`, or `unknown` while the record is damaged.
    pub(crate) by: &'static str,
    /// The change that wrote the file last, or the one that brought the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<String>,
    /// Set if the file was edited since that change.
    pub(crate) edited_since: bool,
}

impl Asked<'_> {
    /// Returns the origin of the part at `place`. `key` is its dotted key, if a change may have written it alone.
    pub(super) fn origin(&self, part: impl Into<String>, place: &Place, key: &str) -> Origin {
        let file = place.file();
        let documents = &self.snapshot.documents;
        let overlay = place.source().overlay().map(|path| path.display().to_string());
        let (by, brought) = match self.origins.came_from(file, key, documents.may_be_overlaid(file)) {
            CameFrom::Operator => ("operator", None),
            CameFrom::ControlPlane(change) => ("control plane", Some(change).filter(|id| !id.is_empty())),
            CameFrom::Unknown => ("unknown", None),
        };
        let writer = self.journal.and_then(|journal| journal.writer_of(file));
        let now = documents.digest_of(file).map(full);
        let (change, edited_since) = match writer.filter(|_| by != "operator") {
            Some((id, written)) => (Some(id), written.is_some() && written != now),
            None => (brought, false),
        };
        Origin {
            part: part.into(),
            file: file.to_owned(),
            line: place.line(),
            layer: if overlay.is_some() { "overlay" } else { "file" },
            overlay,
            by,
            change,
            edited_since,
        }
    }
}
