use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use provider_api::{ErrorKind, RejectionClass};
use rustls::ServerConfig;

use crate::config::{Config, Destination, Listen};
use crate::diagnostics::problem::{Problem, Problems};
use crate::documents::Documents;
use crate::host::HostOptions;
use crate::plan::{Plans, build_plans};
use crate::providers::inventory::inventory;
use crate::providers::{Providers, Surroundings};
use crate::snapshot::tls::{WrongFile, server_config};
use crate::storage::digest::Digest;

/// Everything that one configuration makes of the gateway. Immutable; a request sees one snapshot from its
/// first byte to its last.
pub struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) documents: Arc<Documents>,
    pub(crate) config: Config,
    pub(crate) providers: Providers,
    pub(crate) plans: Plans,
    pub(crate) listeners: BTreeMap<SocketAddr, ListenerSpec>,
    pub(crate) warnings: Vec<Problem>,
}

/// What a listener serves.
#[derive(Clone, Debug)]
pub(crate) struct ListenerSpec {
    pub(crate) network: Arc<str>,
    /// Whether the management API answers here.
    pub(crate) management: bool,
    pub(crate) tls: Option<TlsSpec>,
}

/// A TLS configuration and the digest of what it was made of.
#[derive(Clone)]
pub(crate) struct TlsSpec {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) digest: Digest,
}

impl std::fmt::Debug for TlsSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSpec").field("digest", &self.digest).finish_non_exhaustive()
    }
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

/// A configuration that was not accepted, with every problem found.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The step that refused it.
    pub class: RejectionClass,
    /// Errors and warnings.
    pub problems: Problems,
}

impl Rejection {
    /// Whether the same files may be served later without an edit: it depended on the machine.
    pub fn may_fare_better(&self) -> bool {
        self.class == RejectionClass::Bind
    }
}

impl Snapshot {
    /// Builds a snapshot of the files, given what was wrong about reading them. Does no network I/O. `before` lends what need not be made anew.
    ///
    /// # Errors
    /// Every problem of the configuration, with the first step that found one.
    pub(crate) fn build(
        documents: Arc<Documents>,
        mut problems: Problems,
        generation: u64,
        surroundings: &Surroundings,
        before: Option<&Self>,
    ) -> Result<Self, Rejection> {
        let class = if problems.refuse() { RejectionClass::Parse } else { RejectionClass::Validate };
        let Some(config) =
            Config::merge(&documents, &surroundings.registry, &surroundings.default_provider, &mut problems)
        else {
            return Err(Rejection { class, problems });
        };
        let class = if problems.refuse() { class } else { RejectionClass::Build };
        let inventory = Arc::new(inventory(&config, &documents));
        let providers = Providers::build(&config, &documents, &inventory, surroundings, &mut problems);
        check_abilities(&config, &providers, &mut problems);
        let listeners = listeners(&config, &documents, before, &mut problems);
        let plans = build_plans(&config, &surroundings.resolutions, &mut problems);
        problems.dedup();
        if problems.refuse() {
            return Err(Rejection { class, problems });
        }
        let warnings = problems.sorted().into_iter().cloned().collect();
        Ok(Self { generation, documents, config, providers, plans, listeners, warnings })
    }

    /// Builds a snapshot of the files without serving it: what `check` and `resolve` look at.
    ///
    /// # Errors
    /// Every problem of the configuration.
    pub async fn of(options: &HostOptions) -> Result<Self, Rejection> {
        crate::apply::look(options).await
    }

    /// Resolves what is sent to by local reference: what is missing here will not appear by itself. Remote
    /// references are resolved when they are needed, so that a gateway starts while its cloud is away.
    ///
    /// # Errors
    /// Every local reference that leads nowhere.
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
        if problems.refuse() { Err(Rejection { class: RejectionClass::Validate, problems }) } else { Ok(()) }
    }

    /// Which published configuration this is; counts from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The configuration.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The files it was made of.
    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Its providers.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// What should be known about it.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

/// A configuration may only ask of a provider what it can do.
fn check_abilities(config: &Config, providers: &Providers, problems: &mut Problems) {
    for linked in &config.meshes {
        let Some(provider) = providers.get(&linked.provider) else { continue };
        if provider.mesh_auth().is_none() {
            let place = linked.mesh.provider.as_ref().map(|at| &at.place);
            let message = format!("the provider `{}` issues and verifies no mesh tokens", linked.provider);
            problems.error(place, format!("mesh.{}.provider", linked.mesh.name), message);
        }
    }
    for linked in &config.pipelines {
        let Some(backend) = &linked.backend else { continue };
        let Destination::Resource(reference) = &backend.destination else { continue };
        let Some(provider) = providers.get(reference.provider()) else { continue };
        if provider.resolver().is_none() {
            let place = backend.backend.target_ref.as_ref().map(|at| &at.place);
            let message = format!("the provider `{}` resolves no references", reference.provider());
            problems.error(place, format!("backends.{}.target_ref", backend.backend.name), message);
        }
    }
}

fn listeners(
    config: &Config,
    documents: &Documents,
    before: Option<&Snapshot>,
    problems: &mut Problems,
) -> BTreeMap<SocketAddr, ListenerSpec> {
    let mut listeners = BTreeMap::new();
    for network in &config.networks {
        let Some(listen) = &network.listen else { continue };
        let address = listen.address.value;
        let old = before.and_then(|before| before.listeners.get(&address)).and_then(|spec| spec.tls.as_ref());
        if let Some(tls) = tls(listen, documents, old, &network.name, problems) {
            let management = config.management.as_ref().is_some_and(|m| m.network.value == network.name);
            listeners
                .insert(address, ListenerSpec { network: Arc::from(network.name.as_str()), management, tls });
        }
    }
    listeners
}

/// `None` when the files are wrong; `Some(None)` for cleartext.
#[expect(clippy::option_option, reason = "wrong and absent are different answers")]
fn tls(
    listen: &Listen,
    documents: &Documents,
    old: Option<&TlsSpec>,
    network: &str,
    problems: &mut Problems,
) -> Option<Option<TlsSpec>> {
    let Some(files) = &listen.tls else { return Some(None) };
    // A file that cannot be read was reported when the documents were loaded.
    let (cert, key) = (documents.pem(&files.cert.value)?, documents.pem(&files.key.value)?);
    let parts =
        [("cert", Digest::of(cert.expose().as_bytes())), ("key", Digest::of(key.expose().as_bytes()))];
    let digest = Digest::of_tree(parts);
    if let Some(same) = old.filter(|old| old.digest == digest) {
        return Some(Some(same.clone()));
    }
    match server_config(cert, key) {
        Ok(config) => Some(Some(TlsSpec { config, digest })),
        Err((wrong, message)) => {
            let (at, key) = match wrong {
                WrongFile::Cert => (&files.cert, "cert_path"),
                WrongFile::Key => (&files.key, "key_path"),
            };
            problems.error(Some(&at.place), format!("network.{network}.http.{key}"), message);
            None
        }
    }
}
