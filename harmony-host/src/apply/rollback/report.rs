//! The report on a rollback.

use serde::Serialize;

use crate::apply::rollback::plan::Plan;
use crate::apply::rollback::request::RollbackRequest;
use crate::diagnostics::rejection::Rejection;
use crate::difference::Differences;
use crate::status::ProblemReport;

/// The most lines of each list.
const MAX_LINES: usize = 200;

/// The result of a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RollbackVerdict {
    /// Would be tried: only the plan was requested.
    Planned,
    /// The generation is live, as a new one.
    Applied,
    /// The files are those of the generation already, and live.
    Unchanged,
    /// The configuration of the generation is not valid any more, or cannot be activated. Nothing changed.
    Rejected,
    /// The rollback was not tried. Nothing changed.
    Refused,
}

impl RollbackVerdict {
    /// Returns the verdict, as in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
        }
    }
}

/// The report on a rollback, as in JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RollbackReport {
    pub(crate) verdict: RollbackVerdict,
    /// The generation to restore.
    pub(crate) to: u64,
    /// The generation that is served now.
    pub(crate) generation: u64,
    pub(crate) message: String,
    /// The reasons of a refusal.
    pub(crate) reasons: Vec<String>,
    /// The step that rejected the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<String>,
    pub(crate) problems: Vec<ProblemReport>,
    /// The differences, in words.
    pub(crate) changed: Vec<String>,
    /// The files that are written.
    pub(crate) written: Vec<String>,
    /// The files that are removed.
    pub(crate) removed: Vec<String>,
    /// The files with edits that are not live, which are replaced.
    pub(crate) lost: Vec<String>,
    /// The copies of these edits.
    pub(crate) copies: Vec<String>,
    /// The files that stay as they are, each with the reason.
    pub(crate) kept: Vec<String>,
    /// The consequences at the control plane.
    pub(crate) control_plane: Vec<String>,
}

impl RollbackReport {
    fn new(request: &RollbackRequest, verdict: RollbackVerdict, generation: u64, message: String) -> Self {
        Self {
            verdict,
            to: request.to,
            generation,
            message,
            reasons: Vec::new(),
            class: None,
            problems: Vec::new(),
            changed: Vec::new(),
            written: Vec::new(),
            removed: Vec::new(),
            lost: Vec::new(),
            copies: Vec::new(),
            kept: Vec::new(),
            control_plane: Vec::new(),
        }
    }

    /// Creates the report on a rollback that is tried, or planned.
    pub(super) fn of(request: &RollbackRequest, plan: &Plan, changed: &Differences, generation: u64) -> Self {
        let mut report = Self::new(request, RollbackVerdict::Planned, generation, String::new());
        report.changed = changed.differences.iter().map(|one| one.text.clone()).take(MAX_LINES).collect();
        report.with_files(plan)
    }

    fn with_files(mut self, plan: &Plan) -> Self {
        let names = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            names.take(MAX_LINES).map(str::to_owned).collect()
        };
        self.written = names(&mut plan.edits.iter().map(|(name, _)| name));
        self.removed = names(&mut plan.edits.removed());
        self.kept = plan.kept.iter().take(MAX_LINES).cloned().collect();
        self.control_plane = plan.in_words().into_iter().take(MAX_LINES).collect();
        self.with_lost(plan)
    }

    /// Adds the edits that are not live.
    pub(super) fn with_lost(mut self, plan: &Plan) -> Self {
        self.lost = plan.lost.iter().take(MAX_LINES).cloned().collect();
        self
    }

    /// Sets the end.
    pub(super) fn ended(mut self, verdict: RollbackVerdict, generation: u64) -> Self {
        let to = self.to;
        self.message = match verdict {
            RollbackVerdict::Unchanged => {
                format!("the gateway serves the files of generation {to} already, as generation {generation}")
            }
            RollbackVerdict::Planned => {
                format!("nothing was changed; the rollback to generation {to} is possible")
            }
            _ => format!("the configuration of generation {to} is live as generation {generation}"),
        };
        (self.verdict, self.generation) = (verdict, generation);
        self
    }

    /// Creates the report on a rollback that is not tried.
    pub(super) fn refused(request: &RollbackRequest, reasons: Vec<String>, generation: u64) -> Self {
        let message =
            format!("the rollback to generation {} was refused: {}", request.to, reasons.join("; "));
        let mut report = Self::new(request, RollbackVerdict::Refused, generation, message);
        report.reasons = reasons.into_iter().take(MAX_LINES).collect();
        report
    }

    /// Creates the report on a configuration that is not valid any more.
    pub(super) fn rejected(
        request: &RollbackRequest,
        plan: &Plan,
        rejection: &Rejection,
        generation: u64,
    ) -> Self {
        let message = format!(
            "the configuration of generation {} was rejected now; generation {generation} stays live, and the files are as they were",
            request.to
        );
        let mut report = Self::new(request, RollbackVerdict::Rejected, generation, message).with_files(plan);
        report.class = Some(rejection.class.to_string());
        let errors = rejection.problems.sorted_errors().into_iter();
        report.problems = errors.take(MAX_LINES).map(ProblemReport::from).collect();
        report
    }
}
