//! The merge of an edit that concerns a few pipelines alone: the others are not even looked at.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::config::active_providers::ActiveProviders;
use crate::config::carried::{Edited, names_of};
use crate::config::link::mesh::KnownToMeshes;
use crate::config::link::{LinkedPipeline, Linker};
use crate::config::lookup::Lookup;
use crate::config::marks::{self, Claim, Marks, claims};
use crate::config::merged::{
    Traces, authentications, check_gateway, networks_of, open_authentications, report_unknown_keys,
    sort_by_place,
};
use crate::config::{
    Backend, Config, Endpoint, Fragment, GatewaySections, LinkedBackend, MergeContext, Pipeline,
};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// The most definitions of an edit, before and after it together. Each is compared with all pipelines, and what is more is
/// merged sooner as a whole.
const MOST: usize = 64;

/// The inputs of a merge after an edit.
pub(crate) struct Edit<'a> {
    pub(crate) before: &'a Config,
    /// The sections of config.toml, which was not edited.
    pub(crate) gateway: &'a GatewaySections,
    pub(crate) files: &'a [Edited<'a>],
    /// Returns the sections of all files, after the edit. Asked only if a pipeline needs a definition of another file.
    pub(crate) all: &'a dyn Fn() -> Vec<&'a Fragment>,
}

/// The pipelines and backends that an edit brings.
struct Brought {
    /// In the order of their names.
    pipelines: Vec<Arc<LinkedPipeline>>,
    unused_backends: Vec<LinkedBackend>,
}

impl Config {
    /// Merges an edit of files that define nothing but pipelines with their own endpoints and backends, and middleware. The
    /// result is that of [`Config::merge`]. `remarkable` are all files with unknown keys.
    ///
    /// `None`, with `problems` unchanged, for every other edit, and for one with a mistake: the whole is merged then.
    pub(crate) fn patched<'f>(
        edit: &Edit<'_>,
        remarkable: impl Iterator<Item = &'f Fragment>,
        context: &MergeContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        if !edit.is_small() {
            return None;
        }
        let Edit { before, gateway, .. } = *edit;
        let mut found = Problems::default();
        report_unknown_keys(remarkable, context, &mut found);
        let providers = check_gateway(gateway, context, &mut found);
        let brought = edit.link(&providers, context);
        let removed = edit.positions()?;
        if !edit.is_separate(&brought.pipelines, &removed) {
            return None;
        }
        let is_of_edit =
            |place: &Place| edit.fragments().any(|fragment| Arc::ptr_eq(&fragment.source, place.source()));
        let mut noted = before.traces.noted.clone();
        noted.retain(|linked| !is_of_edit(&linked.pipeline.place));
        noted.extend(brought.pipelines.iter().filter(|linked| !linked.problems.is_empty()).cloned());
        noted.iter().for_each(|linked| found.extend(&linked.problems));
        let mut unused_backends = before.unused_backends.clone();
        unused_backends.retain(|linked| !is_of_edit(&linked.backend.place));
        unused_backends.extend(brought.unused_backends);
        sort_by_place(&mut unused_backends);
        let (pipelines, marks) = before.replaced(&removed, brought.pipelines)?;
        let others = before.traces.others.clone();
        found.extend(&others);
        problems.extend(&found);
        Some(Self {
            proxy: gateway.proxy.clone(),
            primary: providers.into_primary(),
            networks: gateway.networks.clone(),
            management: gateway.management.clone(),
            pipelines,
            meshes: Arc::clone(&before.meshes),
            disabled_meshes: before.disabled_meshes.clone(),
            unused_backends,
            traces: Traces { marks, noted, others },
        })
    }

    /// Returns the pipelines with those at the positions `removed` replaced by `added`, and the marks of all; `None` if two have
    /// one name. All are in the order of their names.
    fn replaced(
        &self,
        removed: &[usize],
        added: Vec<Arc<LinkedPipeline>>,
    ) -> Option<(Vec<Arc<LinkedPipeline>>, Vec<Marks>)> {
        let (mut pipelines, mut marks) = (self.pipelines.clone(), self.traces.marks.clone());
        for at in removed.iter().rev() {
            pipelines.remove(*at);
            marks.remove(*at);
        }
        for linked in added {
            let at =
                pipelines.binary_search_by(|other| other.pipeline.name.cmp(&linked.pipeline.name)).err()?;
            marks.insert(at, Marks::of(&linked));
            pipelines.insert(at, linked);
        }
        Some((pipelines, marks))
    }
}

impl<'a> Edit<'a> {
    /// Returns the sections of the files, before and after.
    fn fragments(&self) -> impl Iterator<Item = &'a Fragment> {
        self.files.iter().flat_map(|edited| [edited.before, edited.after]).flatten()
    }

    /// Returns whether the files have few definitions, and none but pipelines with endpoints, backends and middleware.
    fn is_small(&self) -> bool {
        let size = |fragment: &Fragment| {
            let named = fragment.endpoints.len() + fragment.backends.len() + fragment.middleware.len();
            fragment.pipelines.len() + named
        };
        self.fragments().map(size).sum::<usize>() <= MOST && self.fragments().all(has_pipelines_only)
    }

    /// Links the pipelines of each file to its own endpoints and backends, and to the other definitions of all files. One that
    /// names an endpoint or backend of another file is an error here.
    fn link(&self, providers: &ActiveProviders, context: &MergeContext<'_>) -> Brought {
        let mut brought = Brought { pipelines: Vec::new(), unused_backends: Vec::new() };
        let edited: Vec<&Fragment> = self.files.iter().filter_map(|edited| edited.after).collect();
        let all =
            if edited.iter().all(|fragment| is_complete(fragment)) { edited.clone() } else { (self.all)() };
        for fragment in edited {
            let linker = Linker {
                endpoints: Lookup::new(fragment.endpoints.iter()),
                backends: Lookup::new(fragment.backends.iter()),
                targets: Lookup::new(all.iter().flat_map(|f| &f.targets)),
                peers: Lookup::new(all.iter().flat_map(|f| &f.peers)),
                middleware: Lookup::new(all.iter().flat_map(|f| &f.middleware)),
                middleware_types: all.iter().flat_map(|f| &f.middleware_types).map(String::as_str).collect(),
                authentications: authentications(&all),
                open_authentications: open_authentications(&all),
                networks: networks_of(self.gateway),
                providers,
                capabilities: context.capabilities,
            };
            let linked: Vec<_> =
                fragment.pipelines.iter().map(|pipeline| Arc::new(linker.pipeline(pipeline))).collect();
            let is_unused = |backend: &&Arc<Backend>| !linked.iter().any(|linked| linked.sends_by(backend));
            let unused = fragment.backends.iter().filter(is_unused).map(|backend| linker.unused(backend));
            brought.unused_backends.extend(unused);
            brought.pipelines.extend(linked);
        }
        brought.pipelines.sort_by(|a, b| a.pipeline.name.cmp(&b.pipeline.name));
        brought
    }

    /// Returns the names of the middleware that the files define, before or after the edit, each once.
    fn defined_middleware(&self, side: fn(&Edited<'a>) -> Option<&'a Fragment>) -> BTreeSet<&'a str> {
        let defined = self.files.iter().filter_map(side).flat_map(|fragment| &fragment.middleware);
        defined.map(|one| one.name.as_str()).collect()
    }

    /// Returns the positions of the pipelines that the edited files defined, in order.
    fn positions(&self) -> Option<Vec<usize>> {
        let old =
            self.files.iter().filter_map(|edited| edited.before).flat_map(|fragment| &fragment.pipelines);
        let position = |pipeline: &Arc<Pipeline>| {
            self.before.pipelines.binary_search_by(|linked| linked.pipeline.name.cmp(&pipeline.name))
        };
        let mut positions = old.map(|pipeline| position(pipeline).ok()).collect::<Option<Vec<_>>>()?;
        positions.sort_unstable();
        Some(positions)
    }

    /// Returns whether the pipelines that the edit brings have no mistake, and neither they nor those that it removes concern
    /// another pipeline, a mesh, or a path of the management API.
    fn is_separate(&self, brought: &[Arc<LinkedPipeline>], removed: &[usize]) -> bool {
        let management = self.gateway.management.as_ref().map(|management| &management.network.value);
        let is_managed = |linked: &LinkedPipeline| {
            linked.pipeline.networks.iter().any(|network| Some(&network.value) == management)
        };
        let gone = || removed.iter().filter_map(|at| self.before.pipelines.get(*at));
        if brought.iter().any(|linked| linked.problems.refuse())
            || gone().chain(brought).any(|linked| !linked.is_alone() || is_managed(linked))
            || known_to_meshes(gone()) != known_to_meshes(brought.iter())
            || used_middleware(gone()) != used_middleware(brought.iter())
            || self.defined_middleware(|edited| edited.before)
                != self.defined_middleware(|edited| edited.after)
        {
            return false;
        }
        let names = names_of(self.fragments());
        let claimed: Vec<Claim<'_>> = brought.iter().flat_map(|linked| claims(linked)).collect();
        let (named, wanted) = (marks::marks(&names), marks::marks(&claimed));
        let concerns = |linked: &LinkedPipeline| {
            linked.depends_on(&names) || claims(linked).any(|claim| claimed.contains(&claim))
        };
        let all = self.before.traces.marks.iter().zip(&self.before.pipelines).enumerate();
        let mut others = all.filter(|(at, _)| removed.binary_search(at).is_err());
        are_distinct(brought, &claimed)
            && !others.any(|(_, (marks, linked))| {
                (marks.may_name(&named) || marks.may_claim(&wanted)) && concerns(linked)
            })
    }
}

/// Returns whether a file has all definitions that its pipelines name, besides authentications, of which all files decide.
fn is_complete(fragment: &Fragment) -> bool {
    let has = |at: &Spanned<String>| fragment.middleware.iter().any(|one| one.name == at.value);
    let is_free = |endpoint: &Arc<Endpoint>| endpoint.authentication.is_none() && endpoint.peer_ref.is_none();
    fragment.pipelines.iter().flat_map(|pipeline| &pipeline.middleware).all(has)
        && fragment.middleware.iter().all(|one| one.authentication.is_none())
        && fragment.endpoints.iter().all(is_free)
        && fragment.backends.iter().all(|backend| {
            let is_defined = backend.target_ref.as_ref().is_some_and(|target| !target.value.contains('.'));
            backend.authentication.is_none() && !is_defined
        })
}

/// Returns what meshes know of pipelines, which are in the order of their names.
fn known_to_meshes<'a>(pipelines: impl Iterator<Item = &'a Arc<LinkedPipeline>>) -> Vec<KnownToMeshes<'a>> {
    pipelines.filter_map(|linked| linked.known_to_meshes()).collect()
}

/// Returns the names of the middleware that pipelines use, each once.
fn used_middleware<'a>(pipelines: impl Iterator<Item = &'a Arc<LinkedPipeline>>) -> BTreeSet<&'a str> {
    pipelines.flat_map(|linked| &linked.pipeline.middleware).map(|at| at.value.as_str()).collect()
}

/// Returns whether a file defines nothing but pipelines, endpoints, backends and middleware without a mesh, and has no problem. The
/// pattern names every section, so that a new one cannot be left out.
fn has_pipelines_only(fragment: &Fragment) -> bool {
    let Fragment {
        source: _,
        gateway,
        pipelines: _,
        endpoints: _,
        backends: _,
        targets,
        peers,
        middleware,
        middleware_types,
        authentications,
        meshes,
        remote_ingress,
        invalid_sections,
        unknown_keys: _,
        variables,
        problems,
    } = fragment;
    let defined = [targets.len(), peers.len(), middleware_types.len(), authentications.len()];
    let others = [meshes.len(), remote_ingress.len(), invalid_sections.len(), variables.len()];
    gateway.is_none()
        && problems.is_empty()
        && defined.iter().chain(&others).all(|count| *count == 0)
        && middleware.iter().all(|one| one.mesh_auth.is_none())
}

/// Returns whether pipelines, in the order of their names, have different names and claim different paths.
fn are_distinct(added: &[Arc<LinkedPipeline>], claimed: &[Claim<'_>]) -> bool {
    let mut seen = HashSet::new();
    added.iter().zip(added.iter().skip(1)).all(|(a, b)| a.pipeline.name != b.pipeline.name)
        && claimed.iter().all(|claim| seen.insert(claim))
}
