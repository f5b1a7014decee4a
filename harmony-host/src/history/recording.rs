//! Recording an attempt: its entry, and the texts that are new with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use crate::audit::Event;
use crate::difference::Differences;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::{Content, Document, Documents};
use crate::history::entry::Delta;
use crate::history::state::{Files, State};
use crate::history::{Cause, Entry, FileRef, Managed, Outcome, RolledBackFile};
use crate::snapshot::Snapshot;
use crate::status::timestamp;
use crate::storage::digest::full;
use crate::storage::users;

/// The most differences that an entry has in words.
const MAX_WORDS: usize = 100;

/// A configuration that became live.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The configuration that was served before; `None` at the start.
    pub(crate) before: Option<Arc<Snapshot>>,
    pub(crate) after: Arc<Snapshot>,
    pub(crate) cause: Cause,
    pub(crate) at: SystemTime,
    pub(crate) differences: Option<Differences>,
    /// The documents that the changes have written, by file.
    pub(crate) managed: BTreeMap<String, Managed>,
    /// Set by a rollback: the documents of the control plane that are now an earlier version.
    pub(crate) rolled_back: Option<Vec<RolledBackFile>>,
}

/// A configuration, or a change, that was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) cause: Cause,
    pub(crate) at: SystemTime,
    /// The digest of the files; empty for a change.
    pub(crate) digest: String,
    pub(crate) class: String,
    /// The first problem.
    pub(crate) problem: String,
    pub(crate) problems: usize,
    /// The files that differ from those that are served.
    pub(crate) files: Vec<String>,
}

/// The surroundings of a recording.
#[derive(Clone, Debug)]
pub(super) struct Around {
    pub(super) layers: Layers,
    pub(super) origins: Arc<Origins>,
}

impl Around {
    /// Returns the owners of files.
    fn owners<'f>(&self, names: impl Iterator<Item = &'f str>) -> Vec<String> {
        let path = |name: &str| {
            let overlaid = self.layers.overlay_path(name).filter(|_| self.layers.is_overlaid(name));
            overlaid.unwrap_or_else(|| self.layers.base_path(name))
        };
        users::owners(names.map(path))
    }

    fn file(&self, name: &str, document: &Document) -> FileRef {
        let is_overlaid = document.overlay.is_some();
        FileRef {
            digest: full(document.digest),
            is_pem: matches!(document.content, Content::Pem(_)),
            is_overlaid,
            remote: self.origins.marks_on(name, is_overlaid),
        }
    }

    /// Returns the files that differ from those of `state`. Of a configuration that follows the recorded one only the files
    /// that both do not share are looked at.
    pub(super) fn deltas(&self, job: &Applied, state: &State) -> Vec<Delta> {
        let follows = job.before.as_ref().filter(|before| {
            state.newest.as_ref().is_some_and(|(generation, _)| *generation == before.generation)
        });
        let documents = &job.after.documents;
        let Some(before) = follows else { return self.all_deltas(documents, &state.files) };
        let changed = documents.changed_files(&before.documents);
        let delta = |(name, _, after): (&str, Option<&Document>, Option<&Document>)| Delta {
            name: name.to_owned(),
            before: state.files.get(name).cloned(),
            after: after.map(|after| self.file(name, after)),
        };
        changed.map(delta).filter(|delta| delta.before != delta.after).collect()
    }

    fn all_deltas(&self, documents: &Documents, known: &Files) -> Vec<Delta> {
        let mut deltas: Vec<Delta> = Vec::new();
        for (name, document) in documents.entries() {
            let (before, after) = (known.get(name).cloned(), Some(self.file(name, document)));
            if before != after {
                deltas.push(Delta { name: name.to_owned(), before, after });
            }
        }
        let names: std::collections::HashSet<&str> = documents.entries().map(|(name, _)| name).collect();
        let gone = known.iter().filter(|(name, _)| !names.contains(name.as_str()));
        deltas.extend(gone.map(|(name, file)| Delta {
            name: name.clone(),
            before: Some(file.clone()),
            after: None,
        }));
        deltas
    }

    /// Returns the entry of a configuration that became live.
    pub(super) fn applied(&self, job: &Applied, files: Vec<Delta>, state: &State) -> Entry {
        let changed = match &job.differences {
            Some(differences) => in_words(differences),
            None if !state.has_files => Vec::new(),
            None => files_in_words(&files),
        };
        let users = match job.cause {
            Cause::Edit | Cause::Reload { .. } => self.owners(files.iter().map(|file| file.name.as_str())),
            _ => Vec::new(),
        };
        Entry {
            id: state.last_id + 1,
            at: timestamp(job.at),
            cause: job.cause.clone(),
            users,
            digest: full(job.after.documents.digest()),
            outcome: Outcome::Applied { generation: job.after.generation },
            changed,
            files,
        }
    }

    /// Returns the entry of a refused attempt.
    pub(super) fn refused(&self, job: &Refused, after: u64, state: &State) -> Entry {
        let users = match job.cause {
            Cause::Edit | Cause::Reload { .. } => self.owners(job.files.iter().map(String::as_str)),
            _ => Vec::new(),
        };
        let (class, problem, problems) = (job.class.clone(), job.problem.clone(), job.problems);
        Entry {
            id: state.last_id + 1,
            at: timestamp(job.at),
            cause: job.cause.clone(),
            users,
            digest: job.digest.clone(),
            outcome: Outcome::Rejected { after, class, problem, problems },
            changed: Vec::new(),
            files: Vec::new(),
        }
    }
}

fn in_words(differences: &Differences) -> Vec<String> {
    let shown = differences.differences.iter().take(MAX_WORDS);
    let mut words: Vec<String> = shown.map(|difference| difference.text.clone()).collect();
    let more = differences.count().saturating_sub(words.len());
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words
}

/// Returns what happened to files, where the configuration before is not in memory any more.
fn files_in_words(files: &[Delta]) -> Vec<String> {
    let word = |file: &Delta| match (&file.before, &file.after) {
        (None, _) => format!("added file {}", file.name),
        (_, None) => format!("removed file {}", file.name),
        _ => format!("changed file {}", file.name),
    };
    let mut words: Vec<String> = files.iter().take(MAX_WORDS).map(word).collect();
    if files.len() > MAX_WORDS {
        words.push(format!("and {} more", files.len() - MAX_WORDS));
    }
    words
}

/// Returns the texts of the files that a generation has and the one before had not, by digest.
pub(super) fn new_texts<'d>(files: &[Delta], documents: &'d Documents) -> HashMap<String, &'d str> {
    let text = |delta: &Delta| {
        let after = delta.after.as_ref().filter(|after| !after.is_pem)?;
        Some((after.digest.clone(), documents.text(&delta.name)?))
    };
    files.iter().filter_map(text).collect()
}

/// Returns the documents that still differ from what the control plane has sent because of a rollback.
pub(super) fn still_rolled_back(state: &State, job: &Applied) -> Vec<RolledBackFile> {
    // A rollback looks at all documents of the control plane.
    let all = job.rolled_back.as_ref().unwrap_or(&state.rolled_back);
    let differs = |one: &&RolledBackFile| {
        // A newer change of the document, or the version of the control plane, ends it.
        let newest = state.managed.get(&one.file);
        let digest = job.after.documents.digest_of(&one.file).map(full);
        newest.is_none_or(|newest| newest.change == one.managed.change)
            && digest.as_deref() != Some(&one.managed.digest)
    };
    all.iter().filter(differs).cloned().collect()
}

/// Returns the audit event of an entry.
pub(super) fn event(entry: &Entry) -> Event {
    let event = Event::new("apply")
        .by(&entry.cause.actor(&entry.users))
        .text("cause", &entry.cause.in_words(&entry.users))
        .texts("changed", &entry.changed);
    let event = match entry.digest.is_empty() {
        true => event,
        false => event.text("digest", &entry.digest),
    };
    match &entry.outcome {
        Outcome::Applied { generation } => event.verdict("applied").number("generation", *generation),
        Outcome::Rejected { after, class, problem, problems } => event
            .verdict("rejected")
            .number("serves", *after)
            .text("class", class)
            .text("problem", problem)
            .number("problems", *problems as u64),
    }
}
