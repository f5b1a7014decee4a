use std::collections::HashSet;
use std::sync::Arc;

use provider_api::{ProviderName, Registry};

use crate::config::activity::{Activity, Primary};
use crate::config::addresses;
use crate::config::capabilities::Capabilities;
use crate::config::link::{LinkedPipeline, Linker};
use crate::config::lookup::Lookup;
use crate::config::membership::LinkedMesh;
use crate::config::{Endpoint, Fragment, GatewaySections, LinkedBackend, Management, Mesh, Network, Proxy};
use crate::diagnostics::problem::Problems;

/// The surroundings that decide what a configuration may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeContext<'a> {
    pub(crate) registry: &'a Registry,
    /// Primary where the files choose none.
    pub(crate) default_provider: &'a ProviderName,
    pub(crate) capabilities: &'a Capabilities,
}

/// A configuration whose parts fit together: every name leads somewhere, no two things want the same
/// address, and only one remote provider is used.
#[derive(Debug)]
pub(crate) struct Config {
    /// `[proxy]`
    pub(crate) proxy: Proxy,
    /// The primary provider.
    pub(crate) primary: Primary,
    /// `[network.*]`
    pub(crate) networks: Vec<Network>,
    /// `[management]`, when it is enabled.
    pub(crate) management: Option<Management>,
    /// Every pipeline with what it names.
    pub(crate) pipelines: Vec<LinkedPipeline>,
    /// Every enabled mesh with its members.
    pub(crate) meshes: Vec<LinkedMesh>,
    /// Every mesh that is switched off.
    pub(crate) disabled_meshes: Vec<Arc<Mesh>>,
    /// Every endpoint, whether a pipeline names it or not.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// Every backend that no pipeline sends to, with where it would send.
    pub(crate) unused_backends: Vec<LinkedBackend>,
}

impl Config {
    /// Merges the files and checks them against each other. Adds to `problems` what is wrong; `None` only
    /// when there is not enough to go on.
    pub(crate) fn merge(
        fragments: &[&Fragment],
        context: &MergeContext<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let gateway = fragments.iter().find_map(|fragment| fragment.gateway.as_ref())?;
        let activity = Activity::of(gateway, context.registry, context.default_provider, problems);
        addresses::check(&gateway.networks, problems);
        check_management(gateway, problems);
        let broken = || fragments.iter().flat_map(|f| &f.invalid_sections);
        let linker = Linker {
            endpoints: Lookup::new(fragments.iter().flat_map(|f| &f.endpoints)).with_broken(broken()),
            backends: Lookup::new(fragments.iter().flat_map(|f| &f.backends)).with_broken(broken()),
            targets: Lookup::new(fragments.iter().flat_map(|f| &f.targets)).with_broken(broken()),
            middleware: Lookup::new(fragments.iter().flat_map(|f| &f.middleware)).with_broken(broken()),
            middleware_types: fragments
                .iter()
                .flat_map(|f| &f.middleware_types)
                .map(String::as_str)
                .collect(),
            open_authentications: fragments
                .iter()
                .flat_map(|f| &f.open_authentications)
                .map(String::as_str)
                .collect(),
            networks: gateway.networks.iter().map(|network| network.name.as_str()).collect(),
            activity: &activity,
            capabilities: context.capabilities,
        };
        let pipelines = Lookup::unique(fragments.iter().flat_map(|f| &f.pipelines), problems);
        let mut linked: Vec<LinkedPipeline> =
            pipelines.all().map(|pipeline| linker.pipeline(pipeline, problems)).collect();
        linked.sort_by(|a, b| a.pipeline.name.cmp(&b.pipeline.name));
        // What is wrong with a backend that nobody uses hurts nobody.
        let backends = fragments.iter().flat_map(|f| &f.backends);
        let used: HashSet<_> =
            linked.iter().filter_map(|l| Some(Arc::as_ptr(&l.backend.as_ref()?.backend))).collect();
        let unused_backends =
            backends.filter(|b| !used.contains(&Arc::as_ptr(b))).map(|b| linker.unused(b)).collect();
        let meshes = Lookup::unique(fragments.iter().flat_map(|f| &f.meshes), problems);
        let remote = Lookup::unique(fragments.iter().flat_map(|f| &f.remote_ingress), problems);
        let meshes = LinkedMesh::all(&meshes, &remote, &linked, &activity, problems);
        crate::config::clashes::check(&linked, problems);
        Some(Self {
            proxy: gateway.proxy.clone(),
            primary: activity.into_primary(),
            networks: gateway.networks.clone(),
            management: gateway.management.clone(),
            pipelines: linked,
            meshes,
            disabled_meshes: fragments
                .iter()
                .flat_map(|f| &f.meshes)
                .filter(|m| !m.enabled)
                .cloned()
                .collect(),
            endpoints: fragments.iter().flat_map(|f| &f.endpoints).cloned().collect(),
            unused_backends,
        })
    }

    /// The names of the providers that are active.
    pub(crate) fn active(&self) -> impl Iterator<Item = ProviderName> + '_ {
        let primary = Some(self.primary.name.clone()).filter(|name| !name.is_local());
        std::iter::once(ProviderName::local()).chain(primary)
    }
}

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
            .help(format!("defined are: {}", crate::config::lookup::listed(&known)));
        return;
    };
    let open = network.listen.as_ref().is_some_and(|listen| !listen.address.value.ip().is_loopback());
    if open {
        let message =
            format!("the management API listens beyond this machine, on network `{}`", network.name);
        let entry = problems.warn(Some(&name.place), "management.network", message);
        if management.token.is_some() {
            entry.help("peers other than the loopback must bring management.token");
        } else {
            entry.help("only peers on the loopback are answered, until management.token is set");
        }
    }
}
