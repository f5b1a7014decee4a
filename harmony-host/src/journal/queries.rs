//! Questions about the changes of the journal.

use std::collections::HashMap;
use std::sync::Arc;

use crate::journal::{Before, Entry, Journal, Phase, Target};
use crate::providers::SourceId;
use crate::storage::digest::Digest;

/// The files that live changes wrote, each with the newest of these changes.
#[derive(Debug)]
pub(crate) struct LiveFiles(HashMap<String, (u64, String)>);

/// A file that a live change wrote.
#[derive(Clone, Debug)]
pub(crate) struct LiveDocument {
    pub(crate) file: String,
    pub(crate) provider: String,
    /// The id and the kind of the change.
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The SHA-256 of its text.
    pub(crate) digest: String,
}

impl LiveFiles {
    /// Finds a change newer than `sequence` that is live and has written one of these files. Returns the file and the id of
    /// that change.
    pub(crate) fn newer<'f>(&'f self, sequence: u64, files: &'f [Target]) -> Option<(&'f str, &'f str)> {
        // Two changes may share a transform; that alone does not mean that one supersedes the other.
        let only_transforms = files.iter().all(|file| file.name.ends_with(".json"));
        let counted = files.iter().filter(|file| only_transforms || !file.name.ends_with(".json"));
        counted.into_iter().find_map(|file| {
            let (newest, id) = self.0.get(&file.name)?;
            (*newest > sequence).then_some((file.name.as_str(), id.as_str()))
        })
    }
}

impl Journal {
    /// Returns those of the files that were edited by hand: their content is not what the last change wrote.
    pub(crate) fn edited_by_hand<'a>(&self, files: &'a [Before]) -> Vec<&'a Before> {
        let all = self.all();
        let wrote = all.iter().flat_map(|entry| &entry.wrote);
        let last: HashMap<&str, Option<&str>> =
            wrote.map(|file| (file.name.as_str(), file.digest.as_deref())).collect();
        let hex = |text: &str| format!("{:#}", Digest::of(text.as_bytes()));
        let differs = |file: &&Before| {
            let last_written = last.get(file.name.as_str()).copied().flatten();
            file.text.as_ref().is_some_and(|text| last_written != Some(&hex(text)))
        };
        files.iter().filter(differs).collect()
    }

    /// Returns the files that live changes wrote, each with the newest of them.
    pub(crate) fn live_files(&self) -> LiveFiles {
        let mut files = HashMap::new();
        for entry in self.all().iter().filter(|entry| entry.is_live()) {
            for file in &entry.wrote {
                files.insert(file.name.clone(), (entry.sequence, entry.id.clone()));
            }
        }
        LiveFiles(files)
    }

    /// Returns the newest live change that wrote a file, with the checksum of what it wrote.
    #[cfg(feature = "management")]
    pub(crate) fn writer_of(&self, file: &str) -> Option<(String, Option<String>)> {
        let mut all = self.all();
        all.retain(|entry| entry.is_live());
        let written = |entry: &Arc<Entry>| {
            let target = entry.wrote.iter().find(|target| target.name == file)?;
            Some((entry.id.clone(), target.digest.clone()))
        };
        all.iter().rev().find_map(written)
    }

    /// Returns the newest version of each file that a live change wrote.
    pub(crate) fn live_documents(&self) -> Vec<LiveDocument> {
        let mut newest: HashMap<String, LiveDocument> = HashMap::new();
        for entry in self.all().iter().filter(|entry| entry.is_live()) {
            for file in &entry.wrote {
                let Some(digest) = file.digest.clone() else { continue };
                let (provider, id, kind) = (entry.provider.clone(), entry.id.clone(), entry.kind.clone());
                let document = LiveDocument { file: file.name.clone(), provider, id, kind, digest };
                newest.insert(file.name.clone(), document);
            }
        }
        newest.into_values().collect()
    }

    /// Returns the changes that were fetched and have no verdict, oldest first.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Entry>> {
        let open = |entry: &Arc<Entry>| !matches!(entry.phase, Phase::Settled | Phase::Seen);
        self.all().into_iter().filter(open).collect()
    }

    /// Returns the changes of a source that were not fetched yet, oldest first.
    pub(crate) fn without_body(&self, source: &SourceId) -> Vec<Arc<Entry>> {
        let seen = |entry: &Arc<Entry>| entry.phase == Phase::Seen && entry.is_from(source);
        self.all().into_iter().filter(seen).collect()
    }

    /// Returns the rejected changes that are tried again, oldest first.
    pub(crate) fn quarantined(&self) -> Vec<Arc<Entry>> {
        let waits = |entry: &Arc<Entry>| entry.phase == Phase::Settled && entry.quarantine.is_some();
        self.all().into_iter().filter(waits).collect()
    }

    /// Returns the verdicts that were not delivered, oldest first.
    pub(crate) fn undelivered(&self) -> Vec<Arc<Entry>> {
        self.all().into_iter().filter(|entry| entry.is_undelivered()).collect()
    }
}
