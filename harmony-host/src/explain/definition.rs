//! A definition, such as a pipeline: its keys, and the files that have it.

use serde::Serialize;

use crate::config::Fragment;
use crate::diagnostics::source::Place;
use crate::difference::keys::{Leaf, keys_of};
use crate::explain::Asked;
use crate::explain::origin::Origin;

/// The most keys of a definition that are shown.
const MOST_KEYS: usize = 200;

/// A definition with its keys.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DefinitionExplanation {
    /// The section and the name, such as `pipelines.images`.
    pub(crate) key: String,
    pub(crate) generation: u64,
    /// The files that have it; several only for endpoints, backends and the like.
    pub(crate) defined: Vec<Origin>,
    pub(crate) keys: Vec<KeyOfDefinition>,
    pub(crate) keys_left_out: usize,
    /// The routes of a pipeline, with their networks.
    pub(crate) routes: Vec<String>,
    /// The destination of a pipeline, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leads_to: Option<String>,
}

/// A key of a definition.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyOfDefinition {
    pub(crate) key: String,
    /// The value as it is written; `None` if it may be a secret, or is not a short one.
    pub(crate) value: Option<String>,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// The value of a key in a file.
pub(super) struct Written {
    pub(super) key: String,
    pub(super) leaf: Leaf,
    pub(super) place: Place,
}

impl Asked<'_> {
    /// Returns the values at a key and below it, in the files that may have them.
    pub(super) fn written(&self, key: &str) -> Vec<Written> {
        let parts: Vec<&str> = key.split('.').collect();
        let is_gateways = crate::config::fragment::GATEWAY_ONLY.contains(parts.first().unwrap_or(&""));
        let name = parts.get(1).copied().unwrap_or_default();
        let may_have = |fragment: &&Fragment| match is_gateways {
            true => fragment.gateway.is_some(),
            // Of many files almost none has the name, and a file is only read for it.
            false => fragment.source.text().contains(name),
        };
        let mut found = Vec::new();
        for fragment in self.snapshot.documents.fragments().filter(may_have) {
            for (path, leaf) in keys_of(&fragment.source) {
                if parts.iter().zip(&path).filter(|(wanted, part)| **wanted == part.as_str()).count()
                    == parts.len()
                {
                    let place = Place::new(&fragment.source, leaf.span());
                    found.push(Written { key: path.join("."), leaf, place });
                }
            }
        }
        found
    }

    /// Explains a definition by its values; `None` if there are none.
    pub(super) fn definition(&self, key: &str, written: Vec<Written>) -> Option<DefinitionExplanation> {
        let mut defined: Vec<Origin> = Vec::new();
        // The header of the section is where people look for it; a value is the next best place.
        let header = self.snapshot.documents.place_of(key);
        for one in &written {
            if !defined.iter().any(|known| known.file == one.place.file()) {
                let is_header = |header: &&Place| header.file() == one.place.file();
                let place = header.as_ref().filter(is_header).unwrap_or(&one.place);
                defined.push(self.origin(key, place, key));
            }
        }
        if written.is_empty() {
            return None;
        }
        let name = key.strip_prefix("pipelines.").unwrap_or_default();
        let planned = self.snapshot.plans.pipeline(name);
        let routes = planned.into_iter().flat_map(|planned| planned.entries());
        let left_out = written.len().saturating_sub(MOST_KEYS);
        let keys = written.into_iter().take(MOST_KEYS).map(|one| KeyOfDefinition {
            value: one.leaf.shown().map(str::to_owned),
            file: one.place.file().to_owned(),
            line: one.place.line(),
            key: one.key,
        });
        Some(DefinitionExplanation {
            key: key.to_owned(),
            generation: self.snapshot.generation,
            defined,
            keys: keys.collect(),
            keys_left_out: left_out,
            routes: routes.map(|(network, prefix, _)| format!("{prefix} on {network}")).collect(),
            leads_to: planned.map(|planned| crate::difference::words::destination(planned.linked())),
        })
    }
}
