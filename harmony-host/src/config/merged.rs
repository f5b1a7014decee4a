//! The merged configuration.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use provider_api::{ProviderName, Registry};

use crate::config::active_providers::{ActiveProviders, Primary};
use crate::config::addresses;
use crate::config::capabilities::Capabilities;
use crate::config::carried::Carried;
use crate::config::conflicts;
use crate::config::force_https;
use crate::config::link::{LinkedPipeline, Linker, misnamed};
use crate::config::lookup::{Lookup, report_duplicate};
use crate::config::management::DEFAULT_NETWORK;
use crate::config::management_paths;
use crate::config::marks::Marks;
use crate::config::membership::LinkedMesh;
use crate::config::mesh_auth::link::Meshes;
use crate::config::{Fragment, GatewaySections, LinkedBackend, Management, Mesh, Network, Pipeline, Proxy};
use crate::diagnostics::problem::Problems;

/// The environment of a configuration: it decides which providers and services the configuration may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeContext<'a> {
    pub(crate) registry: &'a Registry,
    /// The primary provider if the files choose none.
    pub(crate) default_provider: &'a ProviderName,
    pub(crate) capabilities: &'a Capabilities,
    /// The directory of config.toml, which paths are relative to.
    pub(crate) root: &'a Path,
    /// Set to accept unknown keys with a warning, except likely misspellings of security-relevant keys.
    pub(crate) allow_unknown_keys: bool,
}

/// A merged and checked configuration: every name is defined, no address is used twice, and only one remote provider
/// is active.
#[derive(Debug)]
pub(crate) struct Config {
    /// The section `[proxy]`.
    pub(crate) proxy: Proxy,
    /// The primary provider.
    pub(crate) primary: Primary,
    /// The sections `[network.*]`.
    pub(crate) networks: Vec<Network>,
    /// The section `[management]`, if it is enabled.
    pub(crate) management: Option<Management>,
    /// All pipelines, with the definitions that they name.
    pub(crate) pipelines: Vec<Arc<LinkedPipeline>>,
    /// All enabled meshes, with their members.
    pub(crate) meshes: Arc<Vec<LinkedMesh>>,
    /// All disabled meshes.
    pub(crate) disabled_meshes: Vec<Arc<Mesh>>,
    /// All backends that no pipeline uses, with their destinations, by file and name.
    pub(crate) unused_backends: Vec<LinkedBackend>,
    pub(super) traces: Traces,
}

/// The parts of a merge that only the merge of the next edit reads.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// A summary of each pipeline, in the order of the pipelines.
    pub(super) marks: Vec<Marks>,
    /// The pipelines whose linking has found problems.
    pub(super) noted: Vec<Arc<LinkedPipeline>>,
    /// The problems of meshes, and of paths on the network of the management API.
    pub(super) others: Problems,
}

impl Config {
    /// Merges the files and checks them against each other. Pipelines that link to the same definitions as before are
    /// `carried`. Adds the mistakes to `problems`; `None` only if there is no readable `[proxy]` section, without which
    /// nothing else can be checked.
    pub(crate) fn merge(
        fragments: &[&Fragment],
        context: &MergeContext<'_>,
        carried: Option<Carried<'_>>,
        problems: &mut Problems,
    ) -> Option<Self> {
        report_unknown_keys(fragments.iter().copied(), context, problems);
        let gateway = fragments.iter().find_map(|fragment| fragment.gateway.as_deref())?;
        let providers = check_gateway(gateway, context, problems);
        let invalid = || fragments.iter().flat_map(|f| &f.invalid_sections);
        let linker = Linker {
            endpoints: Lookup::new(fragments.iter().flat_map(|f| &f.endpoints)).with_invalid(invalid()),
            backends: Lookup::new(fragments.iter().flat_map(|f| &f.backends)).with_invalid(invalid()),
            targets: Lookup::new(fragments.iter().flat_map(|f| &f.targets)).with_invalid(invalid()),
            peers: Lookup::new(fragments.iter().flat_map(|f| &f.peers)).with_invalid(invalid()),
            middleware: Lookup::new(fragments.iter().flat_map(|f| &f.middleware)).with_invalid(invalid()),
            middleware_types: fragments
                .iter()
                .flat_map(|f| &f.middleware_types)
                .map(String::as_str)
                .collect(),
            authentications: authentications(fragments),
            open_authentications: open_authentications(fragments),
            networks: networks_of(gateway),
            providers: &providers,
            capabilities: context.capabilities,
        };
        let mut linked = link(fragments.iter().flat_map(|f| &f.pipelines), &linker, carried, problems);
        misnamed::check(&linked, &linker.middleware, problems);
        // Problems of a backend that no pipeline uses affect no request, so they are not reported.
        let backends = fragments.iter().flat_map(|f| &f.backends);
        let used: HashSet<_> =
            linked.iter().filter_map(|l| Some(Arc::as_ptr(&l.backend.as_ref()?.backend))).collect();
        let mut unused_backends: Vec<LinkedBackend> =
            backends.filter(|b| !used.contains(&Arc::as_ptr(b))).map(|b| linker.unused(b)).collect();
        sort_by_place(&mut unused_backends);
        let mut others = Problems::default();
        let defined =
            Lookup::unique(fragments.iter().flat_map(|f| &f.meshes), problems).with_invalid(invalid());
        let remote = Lookup::unique(fragments.iter().flat_map(|f| &f.remote_ingress), problems);
        let mut meshes = LinkedMesh::all(&defined, &remote, &linked, &providers, &mut others);
        let mut found = Problems::default();
        Meshes { defined: &defined, linked: &mut meshes, providers: &providers, root: context.root }.link(
            &mut linked,
            &linker.middleware,
            &mut found,
        );
        let variables = || fragments.iter().flat_map(|fragment| &fragment.variables);
        // A value without its variable is reported already.
        found.retain(|problem| !variables().any(|used| used.failed && used.is_at(problem)));
        found.reword(|problem| variables().find_map(|used| used.hide_in(problem)));
        others.extend(&found);
        conflicts::check(&linked, problems);
        if let Some(management) = &gateway.management {
            management_paths::check(management, &linked, &mut others);
        }
        problems.extend(&others);
        Some(Self {
            proxy: gateway.proxy.clone(),
            primary: providers.into_primary(),
            networks: gateway.networks.clone(),
            management: gateway.management.clone(),
            traces: Traces {
                marks: linked.iter().map(|linked| Marks::of(linked)).collect(),
                noted: linked.iter().filter(|linked| !linked.problems.is_empty()).cloned().collect(),
                others,
            },
            pipelines: linked,
            meshes: Arc::new(meshes),
            disabled_meshes: fragments
                .iter()
                .flat_map(|f| &f.meshes)
                .filter(|m| !m.enabled)
                .cloned()
                .collect(),
            unused_backends,
        })
    }

    /// Returns the names of the active providers.
    pub(crate) fn active(&self) -> impl Iterator<Item = ProviderName> + '_ {
        let primary = Some(self.primary.name.clone()).filter(|name| !name.is_local());
        std::iter::once(ProviderName::local()).chain(primary)
    }
}

/// Links the pipelines, and returns them in the order of their names. Adds the problems, and an error for each name that two
/// pipelines have.
fn link<'a>(
    pipelines: impl Iterator<Item = &'a Arc<Pipeline>>,
    linker: &Linker<'_>,
    mut carried: Option<Carried<'_>>,
    problems: &mut Problems,
) -> Vec<Arc<LinkedPipeline>> {
    let mut pipelines: Vec<&Arc<Pipeline>> = pipelines.collect();
    pipelines.sort_by(|a, b| a.name.cmp(&b.name));
    let mut all: Vec<Arc<LinkedPipeline>> = Vec::with_capacity(pipelines.len());
    for pipeline in pipelines {
        let same = carried.as_mut().and_then(|carried| carried.next(pipeline));
        let linked = same.unwrap_or_else(|| Arc::new(linker.pipeline(pipeline)));
        problems.extend(&linked.problems);
        if let Some(first) = all.last().filter(|last| last.pipeline.name == pipeline.name) {
            report_duplicate(&*first.pipeline, &**pipeline, problems);
        }
        all.push(linked);
    }
    all
}

/// Adds the problems of keys that the table of keys does not have.
pub(super) fn report_unknown_keys<'a>(
    fragments: impl Iterator<Item = &'a Fragment>,
    context: &MergeContext<'_>,
    problems: &mut Problems,
) {
    for unknown in fragments.flat_map(|fragment| &fragment.unknown_keys) {
        unknown.report(context.allow_unknown_keys, context.capabilities, context.registry, problems);
    }
}

/// Checks the sections of the gateway. Returns its active providers.
pub(super) fn check_gateway(
    gateway: &GatewaySections,
    context: &MergeContext<'_>,
    problems: &mut Problems,
) -> ActiveProviders {
    let providers = ActiveProviders::of(gateway, context.registry, context.default_provider, problems);
    addresses::check(&gateway.networks, problems);
    force_https::check(&gateway.networks, problems);
    check_management(gateway, problems);
    providers
}

/// Returns the names of the networks that pipelines may name.
pub(super) fn networks_of(gateway: &GatewaySections) -> HashSet<&str> {
    let names = gateway.networks.iter().map(|network| network.name.as_str());
    names.filter(|name| *name != DEFAULT_NETWORK).collect()
}

/// Sorts backends by file and name.
pub(super) fn sort_by_place(backends: &mut [LinkedBackend]) {
    let place =
        |linked: &LinkedBackend| (linked.backend.place.file().to_owned(), linked.backend.name.clone());
    backends.sort_by_cached_key(place);
}

/// Returns the names of all authentications.
pub(super) fn authentications<'a>(fragments: &[&'a Fragment]) -> HashSet<&'a str> {
    fragments.iter().flat_map(|fragment| &fragment.authentications).map(|(name, _)| name.as_str()).collect()
}

/// Returns the authentications that admit everybody: all their definitions, in whichever file, have the method `none`.
pub(super) fn open_authentications<'a>(fragments: &[&'a Fragment]) -> HashSet<&'a str> {
    let all = || fragments.iter().flat_map(|fragment| &fragment.authentications);
    let closed: HashSet<&str> = all().filter(|(_, open)| !open).map(|(name, _)| name.as_str()).collect();
    all().map(|(name, _)| name.as_str()).filter(|name| !closed.contains(name)).collect()
}

/// Checks the network of the management API.
fn check_management(gateway: &GatewaySections, problems: &mut Problems) {
    let Some(management) = &gateway.management else { return };
    let name = &management.network;
    let Some(network) = gateway.networks.iter().find(|network| network.name == name.value) else {
        let known: Vec<&str> = gateway.networks.iter().map(|network| network.name.as_str()).collect();
        problems
            .error(
                Some(&name.place),
                "management.network",
                format!("there is no [network.{}]", name.value.escape_debug()),
            )
            .help(crate::config::alternatives::alternatives(&name.value, &known));
        return;
    };
    let open = network.listen.as_ref().is_some_and(|listen| !listen.address.value.ip().is_loopback());
    if open {
        let message =
            format!("the management API is on network `{}`, which other machines can reach", network.name);
        let entry = problems.warn(Some(&name.place), "management.network", message);
        if management.token.is_some() {
            entry.help("peers other than loopback must send management.token");
        } else {
            entry.help("only loopback peers are served until management.token is set");
        }
    }
}
