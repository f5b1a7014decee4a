//! The plan of a rollback: the files that it writes and removes, what it would lose, and what the control plane knows of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostics::rejection::Rejection;
use crate::documents::edits::Edits;
use crate::documents::layers::Layers;
use crate::documents::overlay::read_only;
use crate::documents::{Content, Documents, Loaded};
use crate::history::{History, Managed, Manifest, RolledBackFile};
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::storage::digest::full;

/// The number of files that a message names.
const NAMED: usize = 5;

/// The plan of a rollback.
#[derive(Debug)]
pub(super) struct Plan {
    /// The files to write and to remove, each in its layer.
    pub(super) edits: Edits,
    /// Those of them that came from a control plane, as far as they did.
    pub(super) marks: Edits,
    /// The files as they are now; `None` for one that is not there.
    pub(super) current: BTreeMap<String, Option<String>>,
    /// The files with an edit that is not live, which the rollback replaces.
    pub(super) lost: Vec<String>,
    /// The files that stay as they are, each with the reason.
    pub(super) kept: Vec<String>,
    /// The documents of the control plane that are an earlier version afterwards.
    pub(super) rolled_back: Vec<RolledBackFile>,
    /// The address or the name of the control plane.
    pub(super) control_plane: String,
}

/// A plan with the configuration that it leads to.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) built: Result<Snapshot, Rejection>,
}

impl Plan {
    /// Compares a generation with the files. Blocks.
    ///
    /// # Errors
    /// The reasons for which it cannot be restored.
    pub(super) fn make(
        history: &History,
        layers: &Layers,
        surroundings: &Surroundings,
        serving: &Arc<Snapshot>,
        to: u64,
    ) -> Result<Planned, Vec<String>> {
        let manifest = history.manifest(to).map_err(|reason| vec![reason.to_string()])?;
        let (mut edits, mut current, mut reasons) = (Edits::default(), BTreeMap::new(), Vec::new());
        for (name, _) in manifest.files.iter().filter(|(_, file)| !file.is_pem) {
            match (history.text(&manifest, name), read(layers, name)) {
                (Ok(text), Ok(now)) => {
                    if now.as_deref() == Some(&text) {
                        edits.insert_same(name.clone());
                    } else {
                        edits.insert(name.clone(), text);
                    }
                    current.insert(name.clone(), now);
                }
                (Err(reason), _) => reasons.push(reason.to_string()),
                (_, Err(reason)) => reasons.push(reason),
            }
        }
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let mut kept = Vec::new();
        remove_others(layers, serving, &manifest, &mut edits, &mut current, &mut kept)?;
        layers.place(&mut edits);
        let marks = marks(&manifest, &edits);
        let lost = lost(serving, &edits, &current);
        let rolled_back = rolled_back(history, serving, &manifest);
        let primary = &serving.config.primary;
        let control_plane = match &primary.address {
            Some(address) => format!("`{}` at {address}", primary.name),
            None => format!("`{}`", primary.name),
        };
        let plan = Self { edits, marks, current, lost, kept, rolled_back, control_plane };
        let built = plan.build(layers, surroundings, serving)?;
        Ok(Planned { plan, built })
    }

    /// Builds the configuration.
    ///
    /// # Errors
    /// A file beside those of the generation cannot be read: with it the configuration would be rejected at the next look.
    fn build(
        &self,
        layers: &Layers,
        surroundings: &Surroundings,
        serving: &Arc<Snapshot>,
    ) -> Result<Result<Snapshot, Rejection>, Vec<String>> {
        let before = &serving.documents;
        let Loaded { documents, problems } =
            Documents::load_isolated(layers, Some(before), Some(before), Some(&self.edits));
        if documents.has_isolated() {
            let reasons = documents.isolated().map(|(name, reason)| {
                format!("{name} cannot be read, and is no part of the generation: {reason}; move it away")
            });
            return Err(reasons.collect());
        }
        let origins = surroundings.origins.with(&self.marks);
        let surroundings = Surroundings { origins, ..surroundings.clone() };
        let generation = serving.generation + 1;
        Ok(Snapshot::build(Arc::new(documents), problems, generation, &surroundings, Some(serving)))
    }

    /// Returns whether the files are those of the generation, and are live.
    pub(super) fn is_done(&self, serving: &Snapshot) -> bool {
        let is_live =
            |name: &str| self.current.get(name).and_then(Option::as_deref) == serving.documents.text(name);
        self.edits.is_empty() && self.edits.same().all(is_live)
    }

    /// Returns the reason for which the rollback needs the consent to lose edits.
    pub(super) fn would_lose(&self) -> String {
        let named = self.lost.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = match self.lost.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!(
            "the rollback would replace edits that are not live: {named}{more}; `--force` replaces them, and saves a copy of each"
        )
    }

    /// Returns what the control plane makes of the rollback, one sentence for each of its documents.
    pub(super) fn in_words(&self) -> Vec<String> {
        let word = |file: &RolledBackFile| {
            let RolledBackFile { file, to, managed } = file;
            format!(
                "{file} is that of generation {to}, which {} does not know: it takes the {} for applied here, and does not send it \
                 again; a newer change of the document replaces the file",
                self.control_plane, managed.change
            )
        };
        self.rolled_back.iter().map(word).collect()
    }
}

/// Reads a file as text.
///
/// # Errors
/// The reason for which it cannot be replaced.
fn read(layers: &Layers, name: &str) -> Result<Option<String>, String> {
    let bytes = layers.current(name);
    let bytes = bytes.map_err(|error| format!("{name} cannot be read, so it is not replaced: {error}"))?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| format!("{name} is not UTF-8, so it is not replaced: move it away first"))
}

/// Adds the files to remove: those of the directories that the generation has not.
fn remove_others(
    layers: &Layers,
    serving: &Snapshot,
    manifest: &Manifest,
    edits: &mut Edits,
    current: &mut BTreeMap<String, Option<String>>,
    kept: &mut Vec<String>,
) -> Result<(), Vec<String>> {
    let before = &serving.documents;
    let loaded = Documents::load_isolated(layers, Some(before), Some(before), Some(edits)).documents;
    let is_other = |name: &str| !manifest.files.contains_key(name);
    let others = loaded
        .entries()
        .filter(|(name, document)| is_other(name) && !matches!(document.content, Content::Pem(_)));
    for (name, _) in others {
        let now = read(layers, name).map_err(|reason| vec![reason])?;
        let path = layers.base_path(name);
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|file| file.is_symlink());
        let is_base = !layers.is_overlaid(name);
        if is_base && is_link {
            return Err(vec![format!(
                "{name} is a symbolic link, which a rollback does not remove: remove it first"
            )]);
        }
        let is_below = !is_base && layers.base_path(name).exists();
        if is_below || is_base && read_only(Path::new(&path)).is_some() {
            if name.ends_with(".json") {
                kept.push(format!("{name} stays: it cannot be removed from a read-only directory"));
                continue;
            }
            edits.hide(name);
        } else {
            edits.remove(name);
            if !is_base {
                edits.overlay(name);
            }
        }
        current.insert(name.to_owned(), now);
    }
    Ok(())
}

/// Returns the part of `edits` that came from a control plane when the generation was live.
fn marks(manifest: &Manifest, edits: &Edits) -> Edits {
    let mut marks = Edits::default();
    for (name, text) in edits.iter() {
        let Some(file) = manifest.files.get(name).filter(|file| !file.remote.is_empty()) else { continue };
        marks.insert(name, text);
        if !file.remote.iter().any(String::is_empty) {
            marks.set_keys(name, file.remote.clone());
        }
        if edits.is_overlaid(name) {
            marks.overlay(name);
        }
    }
    marks
}

/// Returns the files that the rollback replaces although they were edited since they were live.
fn lost(serving: &Snapshot, edits: &Edits, current: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let names = edits.iter().map(|(name, _)| name).chain(edits.removed());
    let is_edited = |name: &&str| {
        let now = current.get(*name).and_then(Option::as_deref);
        now.is_some() && now != serving.documents.text(name)
    };
    names.filter(is_edited).map(str::to_owned).collect()
}

/// Returns the documents whose newest change of the control plane the generation does not have.
fn rolled_back(history: &History, serving: &Snapshot, manifest: &Manifest) -> Vec<RolledBackFile> {
    let digest = |name: &str| manifest.files.get(name).map(|file| file.digest.as_str());
    let is_older = |name: &str, managed: &Managed| match managed.generation {
        // It is not known when the change was live: it is in the generation unless the rollback takes it away.
        0 => serving.documents.digest_of(name).map(full).as_deref() == Some(&managed.digest),
        generation => generation > manifest.generation,
    };
    let all = history.managed().into_iter();
    let lost = all.filter(|(name, managed)| digest(name) != Some(&managed.digest) && is_older(name, managed));
    lost.map(|(file, managed)| RolledBackFile { file, to: manifest.generation, managed }).collect()
}
