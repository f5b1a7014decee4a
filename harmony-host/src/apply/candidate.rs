//! The candidate: the files with a change applied to them, built beside the live configuration.

use std::path::Path;
use std::sync::Arc;

use provider_api::{Change, RejectionClass};

use crate::apply::proposal;
use crate::apply::proposal::record::GatewayNames;
use crate::config::management_paths::owner_of_health;
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

/// The result of building a candidate.
pub(super) enum Built {
    /// The live configuration has these files of the change already.
    Unchanged(Vec<Target>),
    /// A new snapshot. `files` are the documents without the change.
    New { files: Arc<Documents>, snapshot: Box<Snapshot>, edits: Edits },
    /// The change is invalid. The attempt is set if the change may be valid with another configuration.
    Rejected(Rejection, Option<Attempt>),
    /// A target file was edited after the change was rejected.
    Superseded,
    /// The files are invalid without the change.
    Deferred(String),
}

/// Reads the current files and builds a snapshot from them with the change applied.
pub(super) async fn build(
    layers: Layers,
    surroundings: Surroundings,
    read: Arc<Documents>,
    served: Arc<Snapshot>,
    change: Arc<Change>,
    expected: &[Target],
) -> Built {
    let builder = Builder { layers, surroundings, served, expected: Arc::from(expected) };
    let work = {
        let builder = builder.clone();
        move || builder.build(&read, &change)
    };
    let built = match tokio::task::spawn_blocking(work).await {
        Ok(built) => built,
        Err(_) => {
            let message = "a provider panicked while it was built";
            Built::Rejected(Rejection::of(RejectionClass::Build, "provider", message), None)
        }
    };
    let Built::New { files, mut snapshot, edits } = built else { return built };
    match snapshot.check_local_references().await {
        Ok(()) => Built::New { files, snapshot, edits },
        Err(rejection) => builder.attribute(rejection, &files, Some(&edits)),
    }
}

/// Returns the files that the change would write, with the checksums of their current text.
pub(super) fn targets(files: &Documents, edits: &Edits) -> Vec<Target> {
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

/// Returns the rejection of a change whose pipeline would answer `/health` in place of the management API: load balancers
/// and orchestrators believe that answer. The operator's own files may do so.
fn takes_health(served: &Snapshot, candidate: &Snapshot, edits: &Edits) -> Option<Rejection> {
    let owner = |snapshot: &'_ Snapshot| {
        let config = &snapshot.config;
        owner_of_health(config.management.as_ref()?, &config.pipelines).map(|owner| {
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
    let message = "this path would answer `/health` on the network of the management API in its place";
    problems.error(Some(&place), format!("pipelines.{name}"), message).help(
        "use another network or a longer path; only the operator of this gateway may give `/health` away",
    );
    Some(Rejection::new(RejectionClass::Validate, problems))
}

/// The inputs of a candidate.
#[derive(Clone)]
struct Builder {
    layers: Layers,
    surroundings: Surroundings,
    served: Arc<Snapshot>,
    expected: Arc<[Target]>,
}

/// Returns the id, code and name of this gateway at the control plane of its primary provider, where known.
fn names_there(served: &Snapshot) -> GatewayNames {
    let details = served.providers().primary().and_then(|primary| credential_details_of(&**primary));
    let details = details.unwrap_or_default();
    GatewayNames { id: details.gateway_id, code: details.gateway_code, name: details.gateway_name }
}

impl Builder {
    /// Builds the candidate; blocks on file I/O.
    fn build(&self, read: &Arc<Documents>, change: &Change) -> Built {
        let (layers, served) = (&self.layers, &self.served);
        let serving = Some(&*served.documents);
        let Loaded { documents, problems } = Documents::load_isolated(layers, Some(read), serving, None);
        let files = Arc::new(documents);
        let names = names_there(served);
        let mut edits = match proposal::edits(change, &files, &self.surroundings.registry, &names) {
            Ok(edits) => edits,
            Err(rejection) if problems.refuse() => return self.attribute(rejection, &files, None),
            // Invalid by itself: no other configuration makes it valid, so there is no attempt to repeat.
            Err(rejection) => return Built::Rejected(rejection, None),
        };
        if let Some((name, reason)) = edits.iter().find_map(|(name, _)| Some((name, files.unreadable(name)?)))
        {
            return Built::Deferred(format!("{name} cannot be read, so it is not replaced: {reason}"));
        }
        let superseded = !edits.is_empty() && !self.expected.is_empty();
        if superseded && targets(&files, &edits) != *self.expected {
            return Built::Superseded;
        }
        let is_live = files.digest() == served.documents.digest();
        if edits.is_empty() && is_live && !problems.refuse() {
            return Built::Unchanged(unchanged_targets(&files, &edits));
        }
        layers.place(&mut edits);
        if let Some(rejection) = links_that_lead_out(&files, &edits) {
            return Built::Rejected(rejection, None);
        }
        let loaded = Documents::load_isolated(layers, Some(&files), serving, Some(&edits));
        let documents = Arc::new(loaded.documents);
        let generation = served.generation + 1;
        let origins = self.surroundings.origins.with(&edits);
        let surroundings = Surroundings { origins, ..self.surroundings.clone() };
        let built = Snapshot::build(documents, loaded.problems, generation, &surroundings, Some(served));
        match built {
            Ok(snapshot) => match takes_health(served, &snapshot, &edits) {
                Some(rejection) => self.attribute(rejection, &files, Some(&edits)),
                None => Built::New { files, snapshot: Box::new(snapshot), edits },
            },
            Err(rejection) => self.attribute(rejection, &files, Some(&edits)),
        }
    }

    /// Attributes a rejection to the change if the files are valid without it, otherwise to the files. Only a rejection
    /// of the change itself is reported to the control plane.
    fn attribute(&self, rejection: Rejection, files: &Arc<Documents>, edits: Option<&Edits>) -> Built {
        let against = self.served.documents.digest();
        let attempt = edits.map(|edits| Attempt::new(rejection.class, full(against), targets(files, edits)));
        if files.digest() == against {
            return Built::Rejected(rejection, attempt);
        }
        let Loaded { documents, problems } =
            Documents::load_isolated(&self.layers, Some(files), Some(&self.served.documents), None);
        let without_change =
            Snapshot::build(Arc::new(documents), problems, 0, &self.surroundings, Some(&self.served));
        match without_change {
            Ok(_) => Built::Rejected(rejection, attempt),
            Err(own) => {
                let first = own.first();
                Built::Deferred(format!("the files of this gateway are invalid without the change: {first}"))
            }
        }
    }
}
