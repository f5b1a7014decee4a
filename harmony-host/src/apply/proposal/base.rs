//! The configuration that changes are proposed for, looked up once for all of them.

use std::collections::HashMap;
use std::sync::OnceLock;

use provider_api::{DocumentKind, Registry};

use crate::apply::proposal::record::GatewayNames;
use crate::config::Fragment;
use crate::config::fragment::GATEWAY_ONLY;
use crate::config::keys::authority::{LocalValue, local_values};
use crate::documents::{Documents, editable};

/// The configuration without the changes. Proposals for many changes cost what the changes are, not their number times the
/// files.
pub(crate) struct Base<'a> {
    pub(super) documents: &'a Documents,
    pub(super) registry: &'a Registry,
    /// The names of this gateway at its control plane.
    pub(super) names: &'a GatewayNames,
    /// config.toml first, then the others by name.
    pub(super) fragments: Vec<&'a Fragment>,
    by_name: HashMap<&'a str, &'a Fragment>,
    pipelines: HashMap<&'a str, &'a Fragment>,
    meshes: HashMap<&'a str, &'a Fragment>,
    local_values: OnceLock<Vec<(String, LocalValue)>>,
}

impl<'a> Base<'a> {
    pub(crate) fn new(documents: &'a Documents, registry: &'a Registry, names: &'a GatewayNames) -> Self {
        let fragments: Vec<&Fragment> = documents.fragments().collect();
        let (mut by_name, mut pipelines, mut meshes) = (HashMap::new(), HashMap::new(), HashMap::new());
        for fragment in &fragments {
            by_name.insert(fragment.source.name(), *fragment);
            for pipeline in &fragment.pipelines {
                pipelines.entry(pipeline.name.as_str()).or_insert(*fragment);
            }
            for mesh in &fragment.meshes {
                meshes.entry(mesh.name.as_str()).or_insert(*fragment);
            }
        }
        let local_values = OnceLock::new();
        Self { documents, registry, names, fragments, by_name, pipelines, meshes, local_values }
    }

    /// Returns config.toml.
    pub(super) fn gateway(&self) -> Option<&'a Fragment> {
        self.fragments.iter().copied().find(|fragment| fragment.gateway.is_some())
    }

    /// Returns the file with this name.
    pub(super) fn fragment(&self, name: &str) -> Option<&'a Fragment> {
        self.by_name.get(name).copied()
    }

    /// Returns the file that defines a pipeline or a mesh.
    pub(super) fn defining(&self, kind: &DocumentKind, name: &str) -> Option<&'a Fragment> {
        let by_name = if *kind == DocumentKind::Pipeline { &self.pipelines } else { &self.meshes };
        by_name.get(name).copied()
    }

    /// Returns the values of all files that only the operator may set, each with its file.
    pub(super) fn local_values(&self) -> &[(String, LocalValue)] {
        self.local_values.get_or_init(|| {
            let of = |fragment: &&'a Fragment| {
                let values = effective(fragment.source.text(), fragment.gateway.is_some());
                let name = fragment.source.name();
                values.into_iter().map(move |value| (name.to_owned(), value)).collect::<Vec<_>>()
            };
            self.fragments.iter().flat_map(of).collect()
        })
    }
}

/// Returns the values of a file that only the operator may set, in the sections that have an effect in it.
pub(super) fn effective(text: &str, is_gateway: bool) -> Vec<LocalValue> {
    let mut values = editable::meaning(text).map(|table| local_values(&table)).unwrap_or_default();
    values.retain(|local| {
        is_gateway || !local.path.first().is_some_and(|top| GATEWAY_ONLY.contains(&top.as_str()))
    });
    values
}
