//! Foreseeing the result of an apply: the candidate is built by the same code, and not activated.

mod foreseen;
#[cfg(feature = "gateway")]
mod saved;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::apply::applier::differences;
use crate::apply::build::{Built, build, build_loaded};
use crate::apply::candidate::{Builder, Proposal, Proposed};
use crate::apply::changes::{own_fault, split_superseded};
use crate::apply::pulse::Pulse;
use crate::apply::selection::select;
use crate::apply::{Applier, JournaledChange};
use crate::diagnostics::rejection::Rejection;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Touched};
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::storage::digest::{Digest, full};

pub(crate) use foreseen::Foreseen;
use foreseen::{Against, ForeseenChange, Predicted};
#[cfg(feature = "gateway")]
pub(crate) use saved::foresee_start;

/// The subject of a prediction.
pub(crate) enum Asked {
    /// The files of the configuration as they are on the disk.
    Files,
    /// These files in the place of those on the disk, by name.
    Given(BTreeMap<String, String>),
    /// A change of a provider, alone.
    Change(Box<JournaledChange>),
}

/// The parts of an applier from which candidates are built, at one moment. Changes nothing.
pub(super) struct Foresight {
    layers: Layers,
    surroundings: Surroundings,
    last_read: Arc<Documents>,
    serving: Arc<Snapshot>,
    rejected: Option<(Digest, Rejection)>,
}

impl Applier {
    /// Returns the parts from which candidates are built now.
    pub(super) fn foresight(&self) -> Foresight {
        Foresight {
            layers: self.layers.clone(),
            surroundings: self.surroundings.clone(),
            last_read: Arc::clone(&self.last_read),
            serving: self.published.snapshot(),
            rejected: self.rejected.clone(),
        }
    }
}

impl Foresight {
    /// Reads the files and builds the candidate of them. Returns the files that were read, and the candidate.
    pub(super) async fn build(&self, touched: Touched) -> (Option<Arc<Documents>>, Result<Built, Rejection>) {
        let (layers, surroundings) = (self.layers.clone(), self.surroundings.clone());
        let (read, serving) = (Arc::clone(&self.last_read), Arc::clone(&self.serving));
        build(layers, surroundings, Some(read), Some(serving), touched).await
    }

    /// Reads the files, and returns what each change would write; `None` after a panic.
    pub(super) async fn propose(&self, changes: Vec<JournaledChange>) -> Option<(Builder, Vec<Proposed>)> {
        let (layers, surroundings) = (self.layers.clone(), self.surroundings.clone());
        let (read, serving) = (Arc::clone(&self.last_read), Arc::clone(&self.serving));
        let work = move || {
            let builder = Builder::read(layers, surroundings, &read, serving);
            let proposed = builder.propose(changes);
            (builder, proposed)
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// Predicts the result of an apply.
    pub(super) async fn answer(self, asked: Asked) -> Foreseen {
        match asked {
            Asked::Files => self.files().await,
            Asked::Given(files) => self.given(files).await,
            Asked::Change(change) => self.change(*change).await,
        }
    }

    async fn files(self) -> Foreseen {
        let (read, built) = self.build(Touched::Everything).await;
        let digest = read.map(|read| read.digest());
        let foreseen = self.of_files(digest, built).await;
        let failed_before = self.rejected.filter(|(tried, _)| Some(*tried) == digest);
        match failed_before {
            Some((_, rejection)) if foreseen.verdict == Predicted::Applied => foreseen
                .only_on_apply(format!("if it can be activated: these files failed before ({rejection})")),
            _ => foreseen,
        }
    }

    /// Predicts the result of an apply of other files. A file in the overlay stays while its base is the same.
    async fn given(self, mut files: BTreeMap<String, String>) -> Foreseen {
        let layers = self.layers.clone();
        let load = move |served: Option<&Documents>| {
            if let Some(served) = served {
                keep_overlay(&layers, served, &mut files);
            }
            Documents::from_saved(layers.config_path(), &files)
        };
        let (surroundings, serving) = (self.surroundings.clone(), Arc::clone(&self.serving));
        let (read, built) = build_loaded(load, surroundings, Some(serving)).await;
        self.of_files(read.map(|read| read.digest()), built).await
    }

    async fn of_files(&self, digest: Option<Digest>, built: Result<Built, Rejection>) -> Foreseen {
        let foreseen = Foreseen::against(Against::Gateway, Some(&self.serving)).with_digest(digest);
        match built {
            Ok(Built::Unchanged) => foreseen.unchanged(),
            Ok(Built::New(candidate)) => self.of_candidate(foreseen, Arc::from(candidate)).await,
            Err(rejection) => foreseen.rejected(&rejection),
        }
    }

    async fn of_candidate(&self, foreseen: Foreseen, candidate: Arc<Snapshot>) -> Foreseen {
        let differences = differences(&self.serving, &candidate).await;
        foreseen.applied(Some(&self.serving), &candidate, differences)
    }

    fn deferred(&self, reason: String) -> Foreseen {
        Foreseen::against(Against::Gateway, Some(&self.serving)).deferred(reason)
    }

    /// Predicts the result of applying a change by itself, on top of the files as they are.
    async fn change(self, change: JournaledChange) -> Foreseen {
        let (id, kind) = (change.change.id.to_string(), change.change.kind.as_str().to_owned());
        let of = |writes: Vec<String>| ForeseenChange { id: id.clone(), kind: kind.clone(), writes };
        let Some((builder, mut proposed)) = self.propose(vec![change]).await else {
            return self.deferred("checking the change failed; the log has the panic".to_owned());
        };
        let foreseen = Foreseen::against(Against::Gateway, Some(&self.serving));
        match proposed.pop() {
            Some(Proposed::Ready(proposal)) => {
                let writes = proposal.edits.names().map(str::to_owned).collect();
                self.of_proposal(foreseen.with_change(of(writes)), &builder, proposal).await
            }
            Some(Proposed::Identical(..)) => foreseen.with_change(of(Vec::new())).unchanged(),
            Some(Proposed::Rejected(_, rejection)) => {
                foreseen.with_change(of(Vec::new())).rejected(&rejection)
            }
            Some(Proposed::Superseded(_)) => foreseen.with_change(of(Vec::new())).superseded(),
            Some(Proposed::Deferred(_, reason)) => foreseen.with_change(of(Vec::new())).deferred(reason),
            None => foreseen.deferred("there is no change".to_owned()),
        }
    }

    async fn of_proposal(&self, foreseen: Foreseen, builder: &Builder, proposal: Proposal) -> Foreseen {
        let (ready, superseded) = split_superseded(vec![proposal]);
        if let Some((_, rejection)) = superseded.first() {
            return foreseen.rejected(rejection);
        }
        let mut selection = select(builder, &Pulse::new(), ready.into_iter().map(Arc::new).collect()).await;
        match (selection.snapshot, selection.rejected.pop()) {
            (_, Some(one)) => match own_fault(builder).await {
                Some(fault) => foreseen.deferred(fault),
                None => foreseen.rejected(&one.rejection),
            },
            (Some(candidate), None) => self.of_candidate(foreseen, candidate).await,
            (None, None) => foreseen.deferred("there is no change".to_owned()),
        }
    }
}

/// Puts the files of the overlay over those given files that are the same as their base.
fn keep_overlay(layers: &Layers, served: &Documents, files: &mut BTreeMap<String, String>) {
    for (name, text) in files.iter_mut().filter(|(name, _)| served.overlay(name).is_some()) {
        let given = full(Digest::of(text.as_bytes()));
        let is_same_base = layers.base_digest(name).is_ok_and(|base| base == Some(given));
        if let Some(overlaid) = served.text(name).filter(|_| is_same_base) {
            *text = overlaid.to_owned();
        }
    }
}
