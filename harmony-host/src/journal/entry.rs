use std::fmt;

use provider_api::{
    Attachment, Change, ChangeHead, ChangeId, ChangeStatus, DocumentKind, ProviderName, Rejection,
    RejectionClass,
};
use serde::{Deserialize, Serialize};

/// What is noted of one change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Counts the changes of this gateway: the order in which they came.
    pub(crate) sequence: u64,
    pub(crate) provider: String,
    pub(crate) id: String,
    pub(crate) kind: String,
    /// Let go of when there is a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<(String, String)>,
    /// Whether the provider knows that it is here.
    pub(crate) acknowledged: bool,
    pub(crate) phase: Phase,
    pub(crate) delivery: Delivery,
}

/// How far a change has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Received,
    Acknowledged,
    /// Its files are being written, or are written and not yet judged.
    Committing {
        before: Vec<Before>,
    },
    Settled(Settlement),
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

impl Entry {
    pub(super) fn received(sequence: u64, provider: &ProviderName, change: &Change) -> Self {
        Self {
            sequence,
            provider: provider.to_string(),
            id: change.id.to_string(),
            kind: change.kind.as_str().to_owned(),
            document: Some(change.document.clone()),
            attachments: change.attachments.iter().map(|a| (a.name.clone(), a.content.clone())).collect(),
            acknowledged: false,
            phase: Phase::Received,
            delivery: Delivery::Waiting,
        }
    }

    pub(super) fn refused(
        sequence: u64,
        provider: &ProviderName,
        head: &ChangeHead,
        rejection: Rejection,
    ) -> Self {
        Self {
            sequence,
            provider: provider.to_string(),
            id: head.id.to_string(),
            kind: head.kind.as_str().to_owned(),
            document: None,
            attachments: Vec::new(),
            acknowledged: false,
            phase: Phase::Settled(rejection.into()),
            delivery: Delivery::Waiting,
        }
    }

    pub(crate) fn is(&self, provider: &ProviderName, id: &ChangeId) -> bool {
        self.provider == provider.as_str() && self.id == id.as_str()
    }

    pub(super) fn settle(&mut self, settlement: Settlement) {
        self.phase = Phase::Settled(settlement);
        self.document = None;
        self.attachments = Vec::new();
    }

    pub(crate) fn is_undelivered(&self) -> bool {
        matches!(self.phase, Phase::Settled(_)) && self.delivery == Delivery::Waiting
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Settled(_)) && self.delivery != Delivery::Waiting
    }

    pub(crate) fn change_id(&self) -> Option<ChangeId> {
        ChangeId::new(self.id.as_str())
    }

    /// The change itself, as long as there is no verdict.
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
        match &self.phase {
            Phase::Settled(Settlement::Applied) => Some(ChangeStatus::Applied),
            Phase::Settled(Settlement::Rejected { class, summary, problems }) => {
                Some(ChangeStatus::Rejected(Rejection {
                    class: class_of(class),
                    summary: summary.clone(),
                    problems: problems.clone(),
                }))
            }
            _ => None,
        }
    }
}

impl From<Rejection> for Settlement {
    fn from(rejection: Rejection) -> Self {
        let Rejection { class, summary, problems } = rejection;
        Self::Rejected { class: class.to_string(), summary, problems }
    }
}

fn class_of(text: &str) -> RejectionClass {
    use RejectionClass::{Bind, Build, Dependency, Fetch, Parse, Probe, Superseded, Validate};
    let all = [Fetch, Parse, Validate, Dependency, Build, Bind, Probe, Superseded];
    all.into_iter().find(|class| class.to_string() == text).unwrap_or(Validate)
}

impl fmt::Debug for Entry {
    /// Without its document, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("sequence", &self.sequence)
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("phase", &self.phase)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").field("name", &self.name).finish_non_exhaustive()
    }
}
