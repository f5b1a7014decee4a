//! Building a snapshot from the files of a configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use provider_api::{ErrorKind, ProviderName, RejectionClass};

use crate::config::carried::{Carried, Edited};
use crate::config::patched::Edit;
use crate::config::{Config, Destination, MergeContext};
use crate::diagnostics::problem::{Problem, Problems};
use crate::diagnostics::rejection::Rejection;
use crate::diagnostics::source::Place;
use crate::documents::{Document, Documents, directories};
use crate::plan::{Before, Inputs, Plans, build_plans};
use crate::providers::inventory::inventory;
use crate::providers::{Providers, Surroundings};
use crate::snapshot::abilities::check_abilities;
use crate::snapshot::certificates::CertificateEnd;
use crate::snapshot::https::{HttpsRedirects, redirects};
use crate::snapshot::listen::{ListenerSpec, listeners};
use crate::snapshot::view::{File, Network, Pipeline};

/// One configuration, checked and linked. Immutable; a request uses one snapshot from its first byte to its last.
pub struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) documents: Arc<Documents>,
    pub(crate) config: Arc<Config>,
    pub(crate) providers: Providers,
    pub(crate) plans: Plans,
    pub(crate) listeners: BTreeMap<SocketAddr, ListenerSpec>,
    pub(super) redirects: HttpsRedirects,
    /// The ends of the certificates in its files.
    pub(crate) certificates: Vec<CertificateEnd>,
    pub(crate) warnings: Vec<Problem>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("documents", &self.documents)
            .field("primary", self.providers.primary_name())
            .finish_non_exhaustive()
    }
}

/// Merges the files. Of the configuration before, what has the same inputs is taken over.
fn merge(
    documents: &Documents,
    context: &MergeContext<'_>,
    before: Option<&Snapshot>,
    problems: &mut Problems,
) -> Option<Config> {
    let Some(before) = before else {
        return Config::merge(&documents.fragments().collect::<Vec<_>>(), context, None, problems);
    };
    let changed = documents.changed_since(&before.documents);
    let files: Vec<Edited<'_>> = changed
        .map(|(before, after)| Edited {
            before: before.and_then(Document::fragment),
            after: after.and_then(Document::fragment),
        })
        .collect();
    let patched = documents.gateway().and_then(|gateway| {
        let all = || documents.fragments().collect();
        let edit = Edit { before: &before.config, gateway, files: &files, all: &all };
        Config::patched(&edit, documents.remarkable(), context, problems)
    });
    patched.or_else(|| {
        let carried = Carried::after(&before.config.pipelines, &files);
        Config::merge(&documents.fragments().collect::<Vec<_>>(), context, carried, problems)
    })
}

impl Snapshot {
    /// Builds a snapshot of the files; `problems` are those of reading them. Does no network I/O. Parts that did not
    /// change are shared with `before`.
    ///
    /// # Errors
    /// Every problem of the configuration, with the first step that found an error.
    pub(crate) fn build(
        documents: Arc<Documents>,
        mut problems: Problems,
        generation: u64,
        surroundings: &Surroundings,
        before: Option<&Self>,
    ) -> Result<Self, Rejection> {
        // Alone and first: other problems could tell a control plane what is in a variable.
        let mut forbidden = Problems::default();
        surroundings.origins.check(&documents, &mut forbidden);
        if forbidden.refuse() {
            return Err(Rejection::new(RejectionClass::Validate, forbidden));
        }
        let class = if problems.refuse() { RejectionClass::Parse } else { RejectionClass::Validate };
        let root = documents.config_path().parent().map(Path::to_owned).unwrap_or_default();
        let context = MergeContext {
            registry: &surroundings.registry,
            default_provider: &surroundings.default_provider,
            capabilities: &surroundings.capabilities,
            root: &root,
            allow_unknown_keys: surroundings.allow_unknown_keys,
        };
        if let Some(gateway) = documents.gateway() {
            let all = gateway.proxy.directories();
            directories::check_state(&root, &surroundings.state_dir, all, &mut problems);
        }
        let Some(config) = merge(&documents, &context, before, &mut problems) else {
            problems.dedup();
            return Err(Rejection::new(class, problems));
        };
        let config = Arc::new(config);
        let class = if problems.refuse() { class } else { RejectionClass::Build };
        let inventory = inventory(&config, &documents);
        let providers = before.map(|before| &before.providers);
        let providers =
            Providers::build(&config, &documents, inventory, surroundings, providers, &mut problems);
        check_abilities(&config, &providers, &mut problems);
        let listeners = listeners(&config, &documents, before.map(|before| &before.listeners), &mut problems);
        let inputs = Inputs {
            config: &config,
            documents: &documents,
            inventory: providers.inventory(),
            resolutions: &surroundings.resolutions,
            before: before.map(|before| Before {
                config: &before.config,
                documents: &before.documents,
                plans: &before.plans,
            }),
        };
        let plans = build_plans(&inputs, &mut problems);
        let certificates = CertificateEnd::all(&config, &documents);
        certificates.iter().for_each(|end| end.warn(surroundings.clock.now(), &mut problems));
        problems.dedup();
        if problems.refuse() {
            return Err(Rejection::new(class, problems));
        }
        let warnings = problems.sorted().into_iter().cloned().collect();
        let redirects = redirects(&config, &documents);
        Ok(Self {
            generation,
            documents,
            config,
            providers,
            plans,
            listeners,
            redirects,
            certificates,
            warnings,
        })
    }

    /// Checks that every local reference of a backend resolves: a missing local resource does not appear later. Remote
    /// references are resolved when a request needs them, so that a gateway starts while its control plane is
    /// unavailable.
    ///
    /// # Errors
    /// Every local reference that does not resolve.
    pub(crate) async fn check_local_references(&mut self) -> Result<(), Rejection> {
        let mut problems = Problems::default();
        for linked in &self.config.pipelines {
            let Some(backend) = &linked.backend else { continue };
            let Destination::Resource(reference) = &backend.destination else { continue };
            let Some(target) = self.plans.targets.get(reference).filter(|_| reference.provider().is_local())
            else {
                continue;
            };
            let Err(error) = target.resolve(&self.providers).await else { continue };
            let place = backend.backend.target_ref.as_ref().map(|at| &at.place);
            let key = format!("backends.{}.target_ref", backend.backend.name);
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::Invalid => problems.error(place, key, error.to_string()),
                ErrorKind::Denied | ErrorKind::Unavailable => problems.warn(place, key, error.to_string()),
            };
        }
        problems.dedup();
        self.warnings.extend(problems.warnings().cloned());
        if problems.refuse() { Err(Rejection::new(RejectionClass::Validate, problems)) } else { Ok(()) }
    }

    /// Returns the number of the snapshot. The first one is 1; it goes on over restarts with the same state directory.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the id of this gateway: `proxy.id`, else `proxy.name`.
    pub fn gateway_id(&self) -> &str {
        &self.config.proxy.id
    }

    /// Returns the name of the primary provider.
    pub fn primary_provider(&self) -> &ProviderName {
        self.providers.primary_name()
    }

    /// Returns the providers.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Returns the pipelines, ordered by name.
    pub fn pipelines(&self) -> impl Iterator<Item = Pipeline<'_>> {
        self.config.pipelines.iter().map(|linked| Pipeline::new(linked))
    }

    /// The networks, in the order of their names.
    pub fn networks(&self) -> impl Iterator<Item = Network<'_>> {
        self.config.networks.iter().map(Network)
    }

    /// Returns the files that the snapshot was built from, ordered by name.
    pub fn files(&self) -> impl Iterator<Item = File<'_>> {
        self.documents.entries().map(|(name, document)| File::new(name, document))
    }

    /// Returns the file and line of `key`, a dotted path from the top of a file, such as
    /// `endpoints.records.options.path_prefix`. An application uses it for the places of the problems that it reports.
    pub fn place_of(&self, key: &str) -> Option<Place> {
        self.documents.place_of(key)
    }

    /// Returns the largest request body in bytes, from `proxy.content_limits.max_body_size`; `None` without a limit. The
    /// built-in gateway streams bodies and refuses larger ones with 413; an application must do the same.
    pub fn max_body_size(&self) -> Option<u64> {
        self.config.proxy.max_body_size
    }

    /// Returns the warnings about the configuration.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}
