use std::fmt;

use provider_api::{
    Attachment, Change, ChangeHead, ChangeId, ChangeStatus, DocumentKind, ProviderName, RejectionClass,
    RejectionReport,
};
use serde::{Deserialize, Serialize};

use crate::journal::quarantine::{Quarantine, Target, machine_is_due};

/// What is noted of one change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Counts the changes of this gateway: the order in which they came.
    pub(crate) sequence: u64,
    pub(crate) provider: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    /// How often its body was asked for.
    pub(crate) fetches: u32,
    /// When that failed last, in seconds since 1970; zero when it did not.
    #[serde(default)]
    missed_at: u64,
    /// How often its files were about to be written without a verdict coming of it.
    #[serde(default)]
    pub(crate) tries: u32,
    /// Let go of when it will not be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<(String, String)>,
    /// Whether the provider may know that it is here: it was about to be told.
    #[serde(default)]
    pub(crate) announced: bool,
    /// Whether the provider knows that it is here.
    pub(crate) acknowledged: bool,
    pub(crate) phase: Phase,
    /// The verdict, once there is one. A change in quarantine that is tried again keeps it meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settlement: Option<Settlement>,
    /// Set while a change that was rejected may be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quarantine: Option<Quarantine>,
    /// Whether something newer is in the place of what was rejected.
    #[serde(default, rename = "overtaken")]
    pub(crate) superseded: bool,
    /// The files it wrote, or found as it would have written them, as they were seen live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) wrote: Vec<Target>,
    pub(crate) delivery: Delivery,
}

/// How far a change has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// The provider listed it; its body is not here.
    Seen,
    /// It is here, whole.
    Fetched,
    /// And the provider knows that.
    Acknowledged,
    /// Its files are about to be written, or some of them are.
    Staged { before: Vec<Before> },
    /// All its files are written.
    Committed { before: Vec<Before> },
    /// The application is about to make it live. Notes of earlier versions call it `published`.
    #[serde(rename = "published")]
    Activating { before: Vec<Before> },
    /// It was seen live: from here on it stays. Notes of earlier versions call it `probed`.
    #[serde(rename = "probed")]
    Activated,
    /// There is a verdict.
    Settled,
}

/// A file that a change writes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Relative to the directory of config.toml.
    pub(crate) name: String,
    /// Its text before; `None` when there was no such file.
    pub(crate) text: Option<String>,
    /// The SHA-256 of what the change writes, in hexadecimal: only that is taken back, never somebody's edit.
    pub(crate) written: String,
}

/// The verdict on a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Settlement {
    Applied,
    Rejected { class: String, summary: String, problems: Vec<String> },
}

/// What came of telling the provider the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    /// It does not know yet.
    Waiting,
    /// It knows.
    Told,
    /// It does not want to know: the change is gone there, or has a verdict already.
    Refused(String),
}

impl Phase {
    /// What the files were before the change, while they may be its own.
    pub(crate) fn before(&self) -> Option<&[Before]> {
        match self {
            Self::Staged { before } | Self::Committed { before } | Self::Activating { before } => {
                Some(before)
            }
            _ => None,
        }
    }

    /// The next step of a change whose files are being written.
    pub(super) fn onward(&mut self, next: fn(Vec<Before>) -> Self) {
        let before = self.before().map(<[Before]>::to_vec).unwrap_or_default();
        *self = next(before);
    }
}

impl Entry {
    /// Its body is about to be asked for, for the first time.
    pub(super) fn seen(sequence: u64, provider: &ProviderName, head: &ChangeHead) -> Self {
        Self {
            sequence,
            provider: provider.to_string(),
            id: head.id.to_string(),
            kind: head.kind.as_str().to_owned(),
            fetches: 1,
            missed_at: 0,
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

    /// Its body is about to be asked for once more.
    pub(super) fn fetching(&mut self) {
        self.fetches = self.fetches.saturating_add(1);
    }

    /// Its body could not be had.
    pub(super) fn missed(&mut self, now: u64) {
        self.missed_at = now;
    }

    /// Whether its body is to be asked for by now: after a miss, a minute, ten minutes and an hour later.
    pub(crate) fn wants_its_body(&self, now: u64) -> bool {
        self.phase == Phase::Seen
            && (self.missed_at == 0 || machine_is_due(self.fetches, self.missed_at, now))
    }

    /// Its body came.
    pub(super) fn fetched(&mut self, change: &Change) {
        self.kind = change.kind.as_str().to_owned();
        self.document = Some(change.document.clone());
        self.attachments = change.attachments.iter().map(|a| (a.name.clone(), a.content.clone())).collect();
        self.phase = Phase::Fetched;
    }

    /// It was seen live.
    pub(super) fn activated(&mut self) {
        let written = |file: &Before| Target { name: file.name.clone(), held: Some(file.written.clone()) };
        self.wrote.extend(self.phase.before().unwrap_or_default().iter().map(written));
        self.phase = Phase::Activated;
    }

    /// Takes a verdict. Telling the provider the same once more would be an echo.
    pub(super) fn settle(&mut self, settlement: Settlement, quarantine: Option<Quarantine>) {
        let verdict = |settlement: &Settlement| matches!(settlement, Settlement::Applied);
        if verdict(&settlement) && self.phase.before().is_some() {
            // That it was seen live could not be noted then.
            self.activated();
        }
        if self.settlement.as_ref().map(verdict) != Some(verdict(&settlement)) {
            self.delivery = Delivery::Waiting;
            self.settlement = Some(settlement);
        }
        self.phase = Phase::Settled;
        self.quarantine = quarantine;
        self.let_go();
    }

    /// Gives up to try it again: something newer is in its place.
    pub(super) fn release(&mut self) {
        self.quarantine = None;
        self.superseded = true;
        self.let_go();
    }

    fn let_go(&mut self) {
        if self.quarantine.is_none() {
            self.document = None;
            self.attachments = Vec::new();
        }
    }

    /// Nothing of it is written any more: it is where it was before it was tried.
    pub(super) fn taken_back(&mut self) {
        self.phase = match (&self.settlement, self.acknowledged) {
            (Some(_), _) => Phase::Settled,
            (None, true) => Phase::Acknowledged,
            (None, false) => Phase::Fetched,
        };
    }

    /// Whether it was seen live.
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

    /// The change itself, as long as it may be tried.
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

    /// What the provider is told.
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
    /// Without its document, which may hold secrets.
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
