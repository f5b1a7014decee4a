//! The entry of a change, and its transitions.

use std::fmt;

use provider_api::{
    Attachment, Change, ChangeHead, ChangeId, ChangeStatus, DocumentKind, RejectionClass, RejectionReport,
};
use serde::{Deserialize, Serialize};

use crate::journal::quarantine::{Quarantine, Target, retry_at, retry_is_due};
use crate::providers::SourceId;

/// The record of one change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The number of the change at this gateway: the order of arrival.
    pub(crate) sequence: u64,
    pub(crate) provider: String,
    /// The identity of the provider's source of changes; `None` in a note of an earlier version until it is adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) store: Option<String>,
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The number of attempts to fetch its document.
    pub(crate) fetches: u32,
    /// The time of the last failed fetch, in seconds since 1970; zero without one.
    #[serde(default, rename = "missed_at")]
    fetch_failed_at: u64,
    /// The error of the last failed fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fetch_error: Option<String>,
    /// The number of times its files were staged. At the limit, a change that ends the process again and again is
    /// rejected.
    #[serde(default)]
    pub(crate) tries: u32,
    /// The document; dropped when the change is not tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<(String, String)>,
    /// Set before the change is acknowledged: the provider may know that it was received.
    #[serde(default)]
    pub(crate) announced: bool,
    /// Set when the provider knows that the change was received.
    pub(crate) acknowledged: bool,
    pub(crate) phase: Phase,
    /// The verdict. A change in quarantine keeps it while it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settlement: Option<Settlement>,
    /// Set while a rejected change is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quarantine: Option<Quarantine>,
    /// Set when a newer change superseded this rejected one.
    #[serde(default, rename = "overtaken")]
    pub(crate) superseded: bool,
    /// The files of the live change: those it wrote, and those that already had its content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) wrote: Vec<Target>,
    pub(crate) delivery: Delivery,
}

/// The phase of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// The provider listed it; its document was not fetched.
    Seen,
    /// Its document is in the journal.
    Fetched,
    /// The provider knows that it was received.
    Acknowledged,
    /// Its files are being written.
    Staged { before: Vec<Before> },
    /// All its files are written.
    Committed { before: Vec<Before> },
    /// The application makes it live. The tag in notes is `published`.
    #[serde(rename = "published")]
    Activating { before: Vec<Before> },
    /// The change was live: from here on it is not rolled back. The tag in notes is `probed`.
    #[serde(rename = "probed")]
    Activated,
    /// The change has a verdict.
    Settled,
}

/// The old content of a file that a change writes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Relative to the directory of config.toml.
    pub(crate) name: String,
    /// Set for a file in the overlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) overlay: Option<OverBase>,
    /// The old text, in the layer that is written; `None` when the file did not exist there.
    pub(crate) text: Option<String>,
    /// The SHA-256 of the new text, in hexadecimal; empty for a file that is removed. A rollback replaces only this text,
    /// never an edit by hand.
    pub(crate) written: String,
}

impl Before {
    /// Returns whether the file is removed.
    pub(crate) fn is_removed(&self) -> bool {
        self.written.is_empty()
    }
}

/// The base of a file in the overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OverBase {
    /// The SHA-256 of the base in hexadecimal; `None` when the base had no such file.
    pub(crate) digest: Option<String>,
}

/// The verdict on a change, which settles it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Settlement {
    Applied,
    Rejected { class: String, summary: String, problems: Vec<String> },
}

/// The delivery of a verdict to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    /// The provider has not received the verdict.
    Waiting,
    /// The provider has received the verdict.
    #[serde(rename = "told")]
    Reported,
    /// The provider refused the verdict: it no longer has the change, or has a verdict already.
    Refused(String),
}

impl Phase {
    /// Returns the old content of the files while a rollback may need it.
    pub(crate) fn before(&self) -> Option<&[Before]> {
        match self {
            Self::Staged { before } | Self::Committed { before } | Self::Activating { before } => {
                Some(before)
            }
            _ => None,
        }
    }

    fn before_mut(&mut self) -> Option<&mut Vec<Before>> {
        match self {
            Self::Staged { before } | Self::Committed { before } | Self::Activating { before } => {
                Some(before)
            }
            _ => None,
        }
    }

    /// Advances a change whose files are being written.
    pub(super) fn advance(&mut self, next: fn(Vec<Before>) -> Self) {
        let before = self.before().map(<[Before]>::to_vec).unwrap_or_default();
        *self = next(before);
    }
}

impl Entry {
    /// Creates the entry of a change before the first attempt to fetch it.
    pub(super) fn seen(sequence: u64, source: &SourceId, head: &ChangeHead) -> Self {
        Self {
            sequence,
            provider: source.provider.to_string(),
            store: Some(source.store.to_string()),
            id: head.id.to_string(),
            kind: head.kind.as_str().to_owned(),
            fetches: 1,
            fetch_failed_at: 0,
            fetch_error: None,
            tries: 0,
            document: None,
            attachments: Vec::new(),
            announced: false,
            acknowledged: false,
            phase: Phase::Seen,
            settlement: None,
            quarantine: None,
            superseded: false,
            wrote: Vec::new(),
            delivery: Delivery::Waiting,
        }
    }

    /// Returns true when the change came from this source.
    pub(crate) fn is_from(&self, source: &SourceId) -> bool {
        self.provider == source.provider.as_str() && self.store.as_deref() == Some(&*source.store)
    }

    /// Counts another attempt to fetch the document.
    pub(super) fn fetching(&mut self) {
        self.fetches = self.fetches.saturating_add(1);
    }

    /// Records a failed fetch.
    pub(super) fn fetch_failed(&mut self, now: u64, error: &str) {
        self.fetch_failed_at = now;
        self.fetch_error = Some(error.to_owned());
    }

    /// Returns when the document is fetched again, in seconds since 1970.
    pub(crate) fn fetch_due_at(&self) -> u64 {
        retry_at(self.fetches, self.fetch_failed_at)
    }

    /// Returns true when the document is to be fetched now: at once, then 1 minute, 10 minutes and 1 hour after a failure.
    pub(crate) fn fetch_is_due(&self, now: u64) -> bool {
        self.phase == Phase::Seen
            && (self.fetch_failed_at == 0 || retry_is_due(self.fetches, self.fetch_failed_at, now))
    }

    /// Records the document.
    pub(super) fn fetched(&mut self, change: &Change) {
        self.kind = change.kind.as_str().to_owned();
        self.document = Some(change.document.clone());
        self.attachments = change.attachments.iter().map(|a| (a.name.clone(), a.content.clone())).collect();
        self.fetch_error = None;
        self.phase = Phase::Fetched;
    }

    /// Records that the change was live, and the files that it wrote.
    pub(super) fn activated(&mut self) {
        let written = |file: &Before| Target { name: file.name.clone(), digest: Some(file.written.clone()) };
        self.wrote.extend(self.phase.before().unwrap_or_default().iter().map(written));
        self.phase = Phase::Activated;
    }

    /// Records a verdict. The same verdict as before is not delivered again.
    pub(super) fn settle(&mut self, settlement: Settlement, quarantine: Option<Quarantine>) {
        let verdict = |settlement: &Settlement| matches!(settlement, Settlement::Applied);
        if verdict(&settlement) && self.phase.before().is_some() {
            // The disk failed when the activation was to be recorded.
            self.activated();
        }
        if self.settlement.as_ref().map(verdict) != Some(verdict(&settlement)) {
            self.delivery = Delivery::Waiting;
            self.settlement = Some(settlement);
        }
        self.phase = Phase::Settled;
        self.quarantine = quarantine;
        self.drop_document();
    }

    /// Ends the quarantine: a newer change supersedes this one.
    pub(super) fn release(&mut self) {
        self.quarantine = None;
        self.superseded = true;
        self.drop_document();
    }

    fn drop_document(&mut self) {
        if self.quarantine.is_none() {
            self.document = None;
            self.attachments = Vec::new();
        }
    }

    /// Returns to the phase before an attempt that ended in order: it does not count.
    pub(super) fn restored(&mut self) {
        self.tries = self.tries.saturating_sub(1);
        self.rolled_back();
    }

    /// Takes back an attempt to fetch that was not made.
    pub(super) fn not_fetched(&mut self) {
        self.fetches = self.fetches.saturating_sub(1);
    }

    /// Returns to the phase before the attempt.
    pub(super) fn rolled_back(&mut self) {
        self.phase = match (&self.settlement, self.acknowledged) {
            (Some(_), _) => Phase::Settled,
            (None, true) => Phase::Acknowledged,
            (None, false) => Phase::Fetched,
        };
        self.ensure_document();
    }

    pub(super) fn has_document(&self) -> bool {
        self.document.is_some()
    }

    pub(super) fn has_document_of(&self, other: &Self) -> bool {
        self.document == other.document && self.attachments == other.attachments
    }

    /// Returns the entry without what a record of the log does not repeat.
    pub(super) fn without(&self, document: bool, before: bool) -> Self {
        let mut slim = self.clone();
        if document {
            (slim.document, slim.attachments) = (None, Vec::new());
        }
        if before && let Some(files) = slim.phase.before_mut() {
            files.clear();
        }
        slim
    }

    /// Adds what the record did not repeat.
    pub(super) fn complete(&mut self, earlier: &Self, document: bool, before: bool) {
        if document {
            self.document.clone_from(&earlier.document);
            self.attachments.clone_from(&earlier.attachments);
        }
        if before && let (Some(files), Some(earlier)) = (self.phase.before_mut(), earlier.phase.before()) {
            *files = earlier.to_vec();
        }
    }

    /// Ends an attempt whose document was in a damaged record. The provider lists a change that it does not know to be
    /// received, so that one is fetched again; another one is rejected, since no list has it any more. A change whose files
    /// were being written keeps its phase: recovery restores them first.
    pub(super) fn ensure_document(&mut self) {
        if self.document.is_some() || !matches!(self.phase, Phase::Fetched | Phase::Acknowledged) {
            return;
        }
        if self.acknowledged || self.announced {
            let summary =
                "the record of the change in the journal of the gateway is damaged; send it again".to_owned();
            let class = RejectionClass::Fetch.to_string();
            self.settle(Settlement::Rejected { class, summary, problems: Vec::new() }, None);
        } else {
            self.phase = Phase::Seen;
            self.fetch_failed_at = 0;
        }
    }

    /// Returns true when the change was live.
    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Activated || self.settlement == Some(Settlement::Applied)
    }

    pub(crate) fn is_undelivered(&self) -> bool {
        self.phase == Phase::Settled && self.delivery == Delivery::Waiting
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Settled && self.delivery != Delivery::Waiting && self.quarantine.is_none()
    }

    pub(crate) fn change_id(&self) -> Option<ChangeId> {
        ChangeId::new(self.id.as_str())
    }

    /// Returns the change, as long as it may be tried.
    pub(crate) fn change(&self) -> Option<Change> {
        Some(Change {
            id: self.change_id()?,
            kind: DocumentKind::from(self.kind.as_str()),
            document: self.document.clone()?,
            attachments: self
                .attachments
                .iter()
                .map(|(name, content)| Attachment { name: name.clone(), content: content.clone() })
                .collect(),
        })
    }

    /// Returns the verdict in the form that the provider is sent.
    pub(crate) fn status(&self) -> Option<ChangeStatus> {
        Some(match self.settlement.as_ref()? {
            Settlement::Applied => ChangeStatus::Applied,
            Settlement::Rejected { class, summary, problems } => ChangeStatus::Rejected(RejectionReport {
                class: class_of(class),
                summary: summary.clone(),
                problems: problems.clone(),
            }),
        })
    }
}

impl From<RejectionReport> for Settlement {
    fn from(rejection: RejectionReport) -> Self {
        let RejectionReport { class, summary, problems } = rejection;
        Self::Rejected { class: class.to_string(), summary, problems }
    }
}

fn class_of(text: &str) -> RejectionClass {
    let named = RejectionClass::ALL.into_iter().find(|class| class.to_string() == text);
    named.unwrap_or(RejectionClass::Validate)
}

impl fmt::Debug for Entry {
    /// Omits the document, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("sequence", &self.sequence)
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("phase", &self.phase)
            .field("settlement", &self.settlement)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").field("name", &self.name).finish_non_exhaustive()
    }
}
