//! The linked pipelines that a new configuration takes over from the one before.

use std::sync::Arc;

use crate::config::link::LinkedPipeline;
use crate::config::{Fragment, Pipeline};

/// A file before and after an edit; `None` where it is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edited<'a> {
    pub(crate) before: Option<&'a Fragment>,
    pub(crate) after: Option<&'a Fragment>,
}

/// The pipelines of the configuration before, of which those are taken over that name nothing that was edited.
#[derive(Debug)]
pub(crate) struct Carried<'a> {
    /// The pipelines after the last one that was asked for, in the order of their names.
    rest: &'a [Arc<LinkedPipeline>],
    /// The names of all definitions in the edited files, before and after. Sorted.
    names: Vec<&'a str>,
}

impl<'a> Carried<'a> {
    /// Returns the pipelines that an edit leaves; `None` for an edit of a section that every pipeline may depend on.
    pub(crate) fn after(before: &'a [Arc<LinkedPipeline>], edited: &[Edited<'a>]) -> Option<Self> {
        let fragments = || edited.iter().flat_map(|edited| [edited.before, edited.after]).flatten();
        if !fragments().all(is_by_name) {
            return None;
        }
        Some(Self { rest: before, names: names_of(fragments()) })
    }

    /// Returns the linked form of a pipeline, if it is taken over. To be asked in the order of the names.
    pub(crate) fn next(&mut self, pipeline: &Arc<Pipeline>) -> Option<Arc<LinkedPipeline>> {
        let at = self.rest.iter().position(|linked| linked.pipeline.name >= pipeline.name);
        self.rest = at.and_then(|at| self.rest.get(at..)).unwrap_or_default();
        let same = self.rest.first().filter(|linked| Arc::ptr_eq(&linked.pipeline, pipeline))?;
        let is_edited = |name: &str| self.names.binary_search(&name).is_ok();
        (!same.names().any(is_edited)).then(|| Arc::clone(same))
    }
}

/// Returns whether pipelines depend on a file only by the names of its definitions. The pattern names every section, so that
/// a new one cannot be left out.
fn is_by_name(fragment: &Fragment) -> bool {
    let Fragment {
        source: _,
        gateway,
        pipelines: _,
        endpoints: _,
        backends: _,
        targets: _,
        peers: _,
        middleware: _,
        middleware_types,
        authentications,
        // Meshes are linked after the pipelines.
        meshes: _,
        remote_ingress: _,
        invalid_sections,
        unknown_keys: _,
        variables: _,
        problems: _,
    } = fragment;
    gateway.is_none()
        && middleware_types.is_empty()
        && authentications.is_empty()
        && invalid_sections.is_empty()
}

/// Returns the names of the definitions of the files that pipelines link to, sorted and each once.
pub(super) fn names_of<'a>(fragments: impl Iterator<Item = &'a Fragment>) -> Vec<&'a str> {
    let mut names: Vec<&str> = fragments.flat_map(names).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns the names of the definitions of a file that pipelines link to.
fn names(fragment: &Fragment) -> impl Iterator<Item = &str> {
    let endpoints = fragment.endpoints.iter().map(|one| one.name.as_str());
    let backends = fragment.backends.iter().map(|one| one.name.as_str());
    let targets = fragment.targets.iter().map(|one| one.name.as_str());
    let peers = fragment.peers.iter().map(|one| one.name.as_str());
    let middleware = fragment.middleware.iter().map(|one| one.name.as_str());
    endpoints.chain(backends).chain(targets).chain(peers).chain(middleware)
}
