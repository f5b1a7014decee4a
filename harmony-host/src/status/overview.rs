//! The status that the management API and embedding applications get.

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnostics::problem::Problem;

use crate::status::history::in_words;
use crate::status::{AuditStatus, HistoryStatus, OverlayStatus, Pause, RolledBackDocument, SyncStatus};

/// The status of a gateway.
///
/// Three configurations may differ: the one in the files (*desired*), the one that was tried last (*attempted*), and
/// the one that is served (*effective*). The gateway is [in sync](Self::in_sync) when they are the same and the
/// provider has no change that is not live.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The configuration in the files.
    pub desired: Desired,
    /// The configuration that was tried last, with its verdict. `None` before the first.
    pub attempted: Option<Attempted>,
    /// The configuration that is served.
    pub effective: Option<Effective>,
    /// The overlay; `None` while the files can be written and nothing is in it.
    pub overlay: Option<OverlayStatus>,
    /// The sync with the provider; `None` when the provider has no changes to sync.
    pub sync: Option<SyncStatus>,
    /// The copy that a start falls back to when a file is damaged or the control plane is unavailable.
    pub last_good: Option<LastGoodStatus>,
    /// The pause of the sync; `None` while the sync is not paused.
    pub paused: Option<Pause>,
    /// The audit log; `None` before its first record.
    pub audit: Option<AuditStatus>,
    /// The history of generations; `None` before its first one.
    pub history: Option<HistoryStatus>,
    /// The documents of the control plane that a rollback has replaced by earlier versions. The gateway is not in sync while
    /// there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rolled_back: Vec<RolledBackDocument>,
}

/// The state of the saved last good configuration.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LastGoodStatus {
    /// The time of the last save.
    pub at: Option<Timestamp>,
    /// The reason for which the configuration that is served is not saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The configuration in the files.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Desired {
    /// The digest of the files.
    pub digest: String,
    /// The time of the last read.
    pub read_at: Timestamp,
}

/// The last configuration that was tried.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Attempted {
    /// The digest of the files.
    pub digest: String,
    /// The time of the attempt.
    pub at: Timestamp,
    /// The verdict.
    pub verdict: AttemptVerdict,
    /// The step that rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Every problem that rejected it.
    pub problems: Vec<ProblemReport>,
}

/// The verdict on the configuration that was tried last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AttemptVerdict {
    /// The configuration is live.
    Applied,
    /// The configuration is not live; the one before is still served.
    Rejected,
}

/// The configuration that is served.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Effective {
    /// The number of the configuration. The first one is 1; it goes on over restarts with the same state directory.
    pub generation: u64,
    /// The digest of the files.
    pub digest: String,
    /// The time since when it is served.
    pub since: Timestamp,
    /// The URL of the control plane of its primary provider, where it has one.
    pub control_plane: Option<String>,
    /// The warnings about it.
    pub warnings: Vec<ProblemReport>,
}

/// A problem as JSON.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProblemReport {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The path of the file, if it is in the overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The key.
    pub key: String,
    /// The problem, in one sentence.
    pub message: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<&Problem> for ProblemReport {
    fn from(problem: &Problem) -> Self {
        Self {
            file: problem.place.as_ref().map(|place| place.file().to_owned()),
            overlay: problem
                .place
                .as_ref()
                .and_then(|place| Some(place.source().overlay()?.display().to_string())),
            line: problem.place.as_ref().map(crate::diagnostics::source::Place::line),
            key: problem.key.clone(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

impl Status {
    /// Returns true when the gateway serves the files, and the provider has no change that is not live.
    pub fn in_sync(&self) -> bool {
        self.effective.as_ref().is_some_and(|effective| effective.digest == self.desired.digest)
            && self.attempted.as_ref().is_none_or(|attempted| attempted.verdict == AttemptVerdict::Applied)
            && self.sync.as_ref().is_none_or(|sync| sync.reason(None).is_none())
            && self.rolled_back.is_empty()
    }

    /// Returns true when nothing is known to be missing here, and it is unknown if the gateway is in sync.
    pub fn is_unknown(&self) -> bool {
        let unknown = self.sync.as_ref().and_then(|sync| sync.unknown(self.control_plane()));
        let unknown = unknown.filter(|_| self.rolled_back.is_empty());
        unknown.is_some() && self.reason() == unknown
    }

    /// Returns the note on "in sync" while the gateway syncs with a provider: the time of the last answer, what was applied
    /// here, and what cannot be known on this machine.
    pub fn note(&self) -> Option<String> {
        let note = self.sync.as_ref().map(|sync| sync.note(self.control_plane()))?;
        Some(match &self.paused {
            Some(pause) => format!("the sync {}; {note}", pause.in_words()),
            None => note,
        })
    }

    /// Returns why changes of the provider are not applied, if they wait for the end of a pause.
    fn waits_for_resume(&self) -> Option<String> {
        let (pause, waiting) = (self.paused.as_ref()?, self.sync.as_ref()?.waits_for_resume());
        let waiting = match waiting {
            0 => return None,
            1 => "1 change waits".to_owned(),
            n => format!("{n} changes wait"),
        };
        Some(format!("the sync {}; {waiting}, and `harmony-host resume` ends the pause", pause.in_words()))
    }

    /// Returns the URL of the control plane, where there is one.
    fn control_plane(&self) -> Option<&str> {
        self.effective.as_ref()?.control_plane.as_deref()
    }

    /// Returns the reason for which the gateway is not in sync, in one sentence.
    pub fn reason(&self) -> Option<String> {
        if self.in_sync() {
            return None;
        }
        let Some(attempted) =
            self.attempted.as_ref().filter(|attempted| attempted.verdict == AttemptVerdict::Rejected)
        else {
            let sync = self.sync.as_ref().and_then(|sync| sync.reason(self.control_plane()));
            let sync = self.waits_for_resume().or(sync);
            let rolled_back = || in_words(&self.rolled_back, self.control_plane());
            let applying = || "a change of the files is being applied".to_owned();
            return Some(sync.or_else(rolled_back).unwrap_or_else(applying));
        };
        let class = attempted.class.as_deref().unwrap_or("unknown");
        let first = attempted.problems.first().map_or_else(String::new, |p| {
            let place = match (&p.file, p.line) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                (Some(file), None) => format!("{file}: "),
                _ => String::new(),
            };
            format!(": {place}{}: {}", p.key, p.message)
        });
        let more = match attempted.problems.len() {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        Some(format!("the files were rejected ({class}){first}{more}"))
    }
}
