//! The candidate: the files with changes applied to them, built beside the live configuration.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use provider_api::RejectionClass;

use crate::apply::JournaledChange;
use crate::apply::proposal::record::GatewayNames;
use crate::apply::proposal::{self, Base};
use crate::config::Primary;
use crate::config::management_paths::{HEALTH_PATHS, owner_of_health};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::documents::directories::leads_out;
use crate::documents::edits::Edits;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Loaded};
use crate::journal::{Attempt, Target};
use crate::providers::Surroundings;
use crate::providers::isolate::credential_details_of;
use crate::snapshot::Snapshot;
use crate::storage::digest::{Digest, full};

/// A change with the files that it would write.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) change: JournaledChange,
    pub(super) edits: Edits,
    /// The files to write, with the checksums of their current text.
    pub(super) targets: Vec<Target>,
}

/// The result of a look at a change, before any candidate is built.
pub(super) enum Proposed {
    /// A candidate is built with it.
    Ready(Proposal),
    /// The live configuration has these files of the change already.
    Identical(JournaledChange, Vec<Target>),
    /// The change is invalid by itself.
    Rejected(JournaledChange, Rejection),
    /// A target file was edited after the change was rejected.
    Superseded(JournaledChange),
    /// The change waits.
    Deferred(JournaledChange, String),
}

/// Returns the files that a change would write, with the checksums of their current text.
fn targets(files: &Documents, edits: &Edits) -> Vec<Target> {
    let checksum = |name: &str| files.text(name).map(|text| full(Digest::of(text.as_bytes())));
    edits.iter().map(|(name, _)| Target { name: name.to_owned(), digest: checksum(name) }).collect()
}

/// Returns the files that have the proposed text already.
pub(super) fn unchanged_targets(files: &Documents, edits: &Edits) -> Vec<Target> {
    let checksum = |name: &str| files.text(name).map(|text| full(Digest::of(text.as_bytes())));
    edits.same().map(|name| Target { name: name.to_owned(), digest: checksum(name) }).collect()
}

/// Returns the rejection of a change that would write through a symbolic link to a file outside of the directory of its
/// kind. A file in the overlay replaces no file of the base, and config.toml is the one that the operator named, wherever
/// it is.
fn links_that_lead_out(files: &Documents, edits: &Edits) -> Option<Rejection> {
    let root = files.config_path().parent().unwrap_or_else(|| Path::new(""));
    let is_config = |name: &str| files.config_path() == root.join(name);
    let mut problems = Problems::default();
    for (name, _) in edits.iter().filter(|(name, _)| !edits.is_overlaid(name) && !is_config(name)) {
        if leads_out(root, name) {
            let message = "this file is a symbolic link to a file outside of its directory, which a change must not write";
            problems.error(None, name, message).help("replace the link by a file");
        }
    }
    problems.refuse().then(|| Rejection::new(RejectionClass::Validate, problems))
}

/// Returns the rejection of a change whose pipeline would answer `/health` or a path below it in place of the management
/// API: load balancers and orchestrators believe that answer. The operator's own files may do so.
fn takes_health(served: &Snapshot, candidate: &Snapshot, edits: &Edits) -> Option<Rejection> {
    HEALTH_PATHS.iter().find_map(|path| takes_path_of_health(served, candidate, edits, path))
}

fn takes_path_of_health(
    served: &Snapshot,
    candidate: &Snapshot,
    edits: &Edits,
    path: &[&str],
) -> Option<Rejection> {
    let owner = |snapshot: &'_ Snapshot| {
        let config = &snapshot.config;
        owner_of_health(config.management.as_ref()?, &config.pipelines, path).map(|owner| {
            let (pipeline, place) = (&owner.linked.pipeline, owner.place.clone());
            (pipeline.name.clone(), pipeline.place.file().to_owned(), place)
        })
    };
    let (name, file, place) = owner(candidate).filter(|_| owner(served).is_none())?;
    let wrote = |file: &str| edits.iter().any(|(name, _)| name == file);
    if !wrote(&file) && !wrote(place.file()) {
        return None;
    }
    let mut problems = Problems::default();
    let path = path.join("/");
    let message =
        format!("this path would answer `/{path}` on the network of the management API in its place");
    problems.error(Some(&place), format!("pipelines.{name}"), message).help(
        "use another network or another path; only the operator of this gateway may give `/health` away",
    );
    Some(Rejection::new(RejectionClass::Validate, problems))
}

/// Returns the id, code and name of this gateway at the control plane of its primary provider, where known.
fn names_there(served: &Snapshot) -> GatewayNames {
    let details = served.providers().primary().and_then(|primary| credential_details_of(&**primary));
    let details = details.unwrap_or_default();
    GatewayNames { id: details.gateway_id, code: details.gateway_code, name: details.gateway_name }
}

/// Builds candidates from the current files and changes. A cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Builder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    layers: Layers,
    surroundings: Surroundings,
    served: Arc<Snapshot>,
    /// The files without the changes.
    files: Arc<Documents>,
    problems: Problems,
    /// The first problem of the files without the changes, if they are invalid.
    own_fault: OnceLock<Option<String>>,
}

impl Builder {
    /// Reads the current files. Blocks on file I/O.
    pub(super) fn read(
        layers: Layers,
        surroundings: Surroundings,
        read: &Documents,
        served: Arc<Snapshot>,
    ) -> Self {
        let serving = Some(&*served.documents);
        let Loaded { documents, problems } = Documents::load_isolated(&layers, Some(read), serving, None);
        let (files, own_fault) = (Arc::new(documents), OnceLock::new());
        Self(Arc::new(Inner { layers, surroundings, served, files, problems, own_fault }))
    }

    /// Returns the files without the changes.
    pub(super) fn files(&self) -> &Arc<Documents> {
        &self.0.files
    }

    /// Returns the snapshot that is served.
    pub(super) fn served(&self) -> &Arc<Snapshot> {
        &self.0.served
    }

    /// Returns whether the files have an edit that is not live: then the edit or a change may be at fault.
    pub(super) fn has_edit(&self) -> bool {
        self.0.files.digest() != self.0.served.documents.digest()
    }

    /// Returns the files that each change would write. Blocks on file I/O.
    pub(super) fn propose(&self, changes: Vec<JournaledChange>) -> Vec<Proposed> {
        let primary = self.primary();
        let names = names_there(&self.0.served);
        let base = Base::new(&self.0.files, &self.0.surroundings.registry, &names);
        changes.into_iter().map(|change| self.propose_one(change, primary.as_deref(), &base)).collect()
    }

    fn propose_one(&self, change: JournaledChange, primary: Option<&str>, base: &Base<'_>) -> Proposed {
        let Inner { layers, files, problems, .. } = &*self.0;
        // An edit of `api` may not be live yet: what the former control plane sent must not become live with it.
        if !problems.refuse() && primary.is_some_and(|primary| *primary != *change.instance) {
            let reason =
                "config.toml names another provider, or other settings of it, than the change came from";
            return Proposed::Deferred(change, reason.to_owned());
        }
        let mut edits = match proposal::edits(&change.change, base) {
            Ok(edits) => edits,
            Err(rejection) if problems.refuse() => match self.own_fault() {
                Some(fault) => return Proposed::Deferred(change, fault),
                None => return Proposed::Rejected(change, rejection),
            },
            // Invalid by itself: no other configuration makes it valid, so there is no attempt to repeat.
            Err(rejection) => return Proposed::Rejected(change, rejection),
        };
        let unreadable = edits.iter().find_map(|(name, _)| Some((name, files.unreadable(name)?)));
        if let Some((name, reason)) = unreadable {
            let reason = format!("{name} cannot be read, so it is not replaced: {reason}");
            return Proposed::Deferred(change, reason);
        }
        let targets = targets(files, &edits);
        if !edits.is_empty() && !change.targets.is_empty() && targets != change.targets {
            return Proposed::Superseded(change);
        }
        if edits.is_empty() && !self.has_edit() && !problems.refuse() {
            return Proposed::Identical(change, unchanged_targets(files, &edits));
        }
        layers.place(&mut edits);
        match links_that_lead_out(files, &edits) {
            Some(rejection) => Proposed::Rejected(change, rejection),
            None => Proposed::Ready(Proposal { change, edits, targets }),
        }
    }

    /// Returns the identity of the provider that is primary in the files; `None` if they choose none.
    fn primary(&self) -> Option<String> {
        let gateway = self.0.files.gateway()?;
        let Surroundings { registry, default_provider, .. } = &self.0.surroundings;
        Some(Primary::of(gateway, registry, default_provider).identity())
    }

    /// Builds a snapshot of the files with these changes.
    ///
    /// # Errors
    /// The problems of the candidate.
    pub(super) async fn build(&self, proposals: &[Arc<Proposal>]) -> Result<Arc<Snapshot>, Rejection> {
        let (builder, edits) = (self.clone(), merged(proposals));
        let built = tokio::task::spawn_blocking(move || builder.build_blocking(&edits)).await;
        let mut snapshot = built.unwrap_or_else(|_| {
            let message = "a provider panicked while it was built";
            Err(Rejection::of(RejectionClass::Build, "provider", message))
        })?;
        snapshot.check_local_references().await?;
        Ok(Arc::new(snapshot))
    }

    fn build_blocking(&self, edits: &Edits) -> Result<Snapshot, Rejection> {
        let Inner { layers, surroundings, served, files, .. } = &*self.0;
        let loaded = Documents::load_isolated(layers, Some(files), Some(&served.documents), Some(edits));
        let origins = surroundings.origins.with(edits);
        let surroundings = Surroundings { origins, ..surroundings.clone() };
        let (documents, generation) = (Arc::new(loaded.documents), served.generation + 1);
        let snapshot = Snapshot::build(documents, loaded.problems, generation, &surroundings, Some(served))?;
        match takes_health(served, &snapshot, edits) {
            Some(rejection) => Err(rejection),
            None => Ok(snapshot),
        }
    }

    /// Returns the first problem of the files without the changes, in words, if they are invalid: a rejection is then not
    /// the fault of a change. Blocks.
    pub(super) fn own_fault(&self) -> Option<String> {
        let fault = || {
            if !self.has_edit() {
                return None;
            }
            let own = self.build_blocking(&Edits::default()).err()?;
            Some(format!("the files of this gateway are invalid without the change: {}", own.first()))
        };
        self.0.own_fault.get_or_init(fault).clone()
    }
}

impl Proposal {
    /// Returns the attempt to apply the change while the configuration with this digest was served.
    pub(super) fn attempt(&self, class: RejectionClass, against: Digest) -> Attempt {
        Attempt::new(class, full(against), self.targets.clone())
    }

    /// Returns whether a rejection has its places in the files of this change.
    pub(super) fn is_in(&self, rejection: &Rejection) -> bool {
        rejection.problems.errors().any(|problem| {
            let file = problem.place.as_ref().map_or(problem.key.as_str(), |place| place.file());
            self.edits.get(file).is_some()
        })
    }

    /// Returns whether a rejection mentions a file of this change.
    pub(super) fn is_mentioned_in(&self, rejection: &Rejection) -> bool {
        self.is_in(rejection)
            || rejection
                .problems
                .errors()
                .any(|problem| self.edits.iter().any(|(name, _)| problem.message.contains(name)))
    }

    /// Returns the documents that the change replaces: its files without the transforms, which several pipelines may share,
    /// or the transform that it is.
    pub(super) fn documents(&self) -> BTreeSet<&str> {
        let names: BTreeSet<&str> = self.edits.names().collect();
        let only_transforms = names.iter().all(|name| name.ends_with(".json"));
        names.into_iter().filter(|name| only_transforms || !name.ends_with(".json")).collect()
    }
}

/// Returns the edits of all changes together. Of two changes of one file the newer counts.
pub(super) fn merged(proposals: &[Arc<Proposal>]) -> Edits {
    let mut ordered: Vec<&Arc<Proposal>> = proposals.iter().collect();
    ordered.sort_by_key(|proposal| proposal.change.sequence);
    let mut edits = Edits::default();
    ordered.iter().for_each(|proposal| edits.merge(&proposal.edits));
    edits
}
