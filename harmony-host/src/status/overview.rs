use jiff::Timestamp;
use serde::Serialize;

use crate::diagnostics::problem::Problem;

use crate::status::SyncStatus;

/// Whether the gateway serves what it should, and if not, why.
///
/// Three things that are easily taken for one: what the files say (*desired*), what was tried last
/// (*attempted*), and what is served (*effective*).
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// What the configuration files say.
    pub desired: Desired,
    /// What was tried last and how that went.
    pub attempted: Option<Attempted>,
    /// What is served.
    pub effective: Option<Effective>,
    /// How following the provider goes; `None` without one that has changes.
    pub sync: Option<SyncStatus>,
    /// What is kept of it for a start with a damaged file, or with the control plane away.
    pub last_good: Option<LastGoodStatus>,
}

/// How keeping the last good configuration goes.
#[derive(Clone, Debug, Serialize)]
pub struct LastGoodStatus {
    /// When it was kept last.
    pub at: Option<Timestamp>,
    /// Why what is served now is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What the configuration files say.
#[derive(Clone, Debug, Serialize)]
pub struct Desired {
    /// The digest of the files.
    pub digest: String,
    /// When they were read last.
    pub read_at: Timestamp,
}

/// The last configuration that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Attempted {
    /// The digest of the files.
    pub digest: String,
    /// When.
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
pub enum AttemptVerdict {
    /// It is live.
    Applied,
    /// It is not; what was served is served on.
    Rejected,
}

/// The configuration that is served.
#[derive(Clone, Debug, Serialize)]
pub struct Effective {
    /// Counts published configurations from 1.
    pub generation: u64,
    /// The digest of the files.
    pub digest: String,
    /// Since when.
    pub since: Timestamp,
    /// What should be known about it.
    pub warnings: Vec<ProblemReport>,
}

/// A problem as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemReport {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The key.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<&Problem> for ProblemReport {
    fn from(problem: &Problem) -> Self {
        Self {
            file: problem.place.as_ref().map(|place| place.file().to_owned()),
            line: problem.place.as_ref().map(crate::diagnostics::source::Place::line),
            key: problem.key.clone(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

impl Status {
    /// Whether what the files say is what is served.
    pub fn in_sync(&self) -> bool {
        self.effective.as_ref().is_some_and(|effective| effective.digest == self.desired.digest)
            && self.attempted.as_ref().is_none_or(|attempted| attempted.verdict == AttemptVerdict::Applied)
            && self.sync.as_ref().is_none_or(|sync| sync.reason().is_none())
    }

    /// Why not, in one sentence.
    pub fn reason(&self) -> Option<String> {
        if self.in_sync() {
            return None;
        }
        let Some(attempted) =
            self.attempted.as_ref().filter(|attempted| attempted.verdict == AttemptVerdict::Rejected)
        else {
            let sync = self.sync.as_ref().and_then(SyncStatus::reason);
            return Some(sync.unwrap_or_else(|| "a change of the files is being applied".to_owned()));
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
