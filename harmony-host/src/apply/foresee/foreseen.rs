//! The prediction of the result of an apply.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::config::Destination;
use crate::diagnostics::problem::Problem;
use crate::diagnostics::rejection::Rejection;
use crate::difference::{Difference, Differences, Kind, Sign};
use crate::snapshot::Snapshot;
use crate::status::ProblemReport;
use crate::storage::digest::{Digest, full};

/// The most problems and warnings of a prediction; the number of the others is told.
pub(crate) const MAX_PROBLEMS: usize = 1_000;

/// The most questions that only an apply answers.
const MOST_QUESTIONS: usize = 20;

/// The verdict that an apply would have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Predicted {
    /// The configuration is live already.
    Unchanged,
    Applied,
    Rejected,
    /// The change would wait.
    Deferred,
    /// The change would not be tried again: its file was edited since it was rejected.
    Superseded,
}

/// The configuration that the prediction is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Against {
    /// The one that a running gateway serves.
    Gateway,
    /// The last one that was live, as it is saved in the state directory.
    Saved,
    /// None: no configuration was ever live, or the saved one cannot be used.
    Nothing,
}

/// A change of a provider, with the files that it would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ForeseenChange {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) writes: Vec<String>,
}

/// The prediction of the result of an apply.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Foreseen {
    pub(crate) verdict: Predicted,
    pub(crate) against: Against,
    /// The generation that is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<u64>,
    /// The digest of the files that are served, or were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) served: Option<String>,
    /// The digest of the planned files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) planned: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<ForeseenChange>,
    #[serde(flatten)]
    pub(crate) differences: Differences,
    /// The parts that restart: none, ever.
    pub(crate) restarts: Vec<String>,
    /// The step that would reject it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<String>,
    /// The reason for which a change would wait, or would not be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The errors for which it would be rejected.
    pub(crate) problems: Vec<ProblemReport>,
    pub(crate) problems_left_out: usize,
    /// The warnings that the served configuration does not have.
    pub(crate) warnings: Vec<ProblemReport>,
    /// The questions that only an apply answers, in words: `if ...`, `what ...`.
    pub(crate) only_on_apply: Vec<String>,
}

impl Foreseen {
    pub(super) fn against(against: Against, served: Option<&Snapshot>) -> Self {
        Self {
            verdict: Predicted::Unchanged,
            against,
            generation: served.filter(|_| against == Against::Gateway).map(|served| served.generation),
            served: served.map(|served| full(served.documents.digest())),
            planned: None,
            change: None,
            differences: Differences::default(),
            restarts: Vec::new(),
            class: None,
            reason: None,
            problems: Vec::new(),
            problems_left_out: 0,
            warnings: Vec::new(),
            only_on_apply: Vec::new(),
        }
    }

    pub(super) fn with_digest(self, planned: Option<Digest>) -> Self {
        Self { planned: planned.map(full), ..self }
    }

    pub(super) fn with_change(self, change: ForeseenChange) -> Self {
        Self { change: Some(change), ..self }
    }

    pub(super) fn unchanged(self) -> Self {
        Self { verdict: Predicted::Unchanged, planned: self.served.clone(), ..self }
    }

    pub(super) fn deferred(self, reason: String) -> Self {
        Self { verdict: Predicted::Deferred, reason: Some(reason), ..self }
    }

    pub(super) fn superseded(self) -> Self {
        let reason = "a file of the change was edited after the change was rejected: the edit is newer";
        Self { verdict: Predicted::Superseded, reason: Some(reason.to_owned()), ..self }
    }

    pub(super) fn rejected(self, rejection: &Rejection) -> Self {
        let errors = rejection.problems.sorted_errors();
        let shown = errors.iter().take(MAX_PROBLEMS);
        Self {
            verdict: Predicted::Rejected,
            class: Some(rejection.class.to_string()),
            problems: shown.map(|problem| ProblemReport::from(*problem)).collect(),
            problems_left_out: errors.len().saturating_sub(MAX_PROBLEMS),
            ..self
        }
    }

    pub(super) fn applied(
        self,
        served: Option<&Snapshot>,
        candidate: &Snapshot,
        differences: Differences,
    ) -> Self {
        let known: HashSet<String> =
            served.iter().flat_map(|served| &served.warnings).map(ToString::to_string).collect();
        let is_new = |warning: &&Problem| !known.contains(&warning.to_string());
        let warnings = candidate.warnings.iter().filter(is_new).take(MAX_PROBLEMS);
        let mut foreseen = Self {
            verdict: Predicted::Applied,
            planned: Some(full(candidate.documents.digest())),
            warnings: warnings.map(ProblemReport::from).collect(),
            ..self
        };
        foreseen.only_on_apply.extend(open_questions(&differences, candidate));
        if foreseen.change.is_some() {
            foreseen.only_on_apply.push("if the files can be written".to_owned());
            foreseen.only_on_apply.push("if another pending change makes a difference".to_owned());
        }
        Self { differences, ..foreseen }
    }

    pub(super) fn only_on_apply(mut self, question: String) -> Self {
        self.only_on_apply.push(question);
        self
    }
}

/// Returns what only an apply answers. A test of an address would open it for a moment, and ask nobody else's process.
fn open_questions(differences: &Differences, candidate: &Snapshot) -> Vec<String> {
    let is_new = |kind: Kind| move |one: &&Difference| one.kind == kind && one.sign != Sign::Removed;
    let opened = differences.differences.iter().filter(is_new(Kind::Listener));
    let mut questions: Vec<String> = opened
        .filter(|one| one.sign == Sign::Added)
        .map(|one| format!("if {} is free, and this user may listen on it", one.name))
        .collect();
    for one in differences.differences.iter().filter(is_new(Kind::Pipeline)) {
        let Some(planned) = candidate.plans.pipeline(&one.name) else { continue };
        let destination = planned.linked().backend.as_ref().map(|backend| &backend.destination);
        if let Some(Destination::Resource(reference)) = destination
            && !reference.provider().is_local()
        {
            let question =
                format!("what {reference} resolves to: its provider is asked with the first request");
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
    }
    let more = questions.len().saturating_sub(MOST_QUESTIONS);
    questions.truncate(MOST_QUESTIONS);
    if more > 0 {
        questions.push(format!("{more} more of this kind"));
    }
    questions
}
