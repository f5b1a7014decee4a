//! The reports of changes and their rejections.

use std::time::SystemTime;

use provider_api::RejectionReport;

use crate::diagnostics::rejection::Rejection;
use crate::status::timestamp;
use crate::status::{ChangeOutcome, ChangeReport};

/// The maximum number of reported problems of one change, and the maximum number of characters of one problem.
const MAX_PROBLEMS: usize = 100;
const MAX_PROBLEM_CHARS: usize = 2_000;

pub(super) fn rejection_report(rejection: &Rejection) -> RejectionReport {
    let errors = rejection.problems.sorted_errors();
    let shorten = |text: String| text.chars().take(MAX_PROBLEM_CHARS).collect::<String>();
    let mut problems: Vec<String> =
        errors.iter().take(MAX_PROBLEMS).map(|problem| shorten(problem.without_paths())).collect();
    if errors.len() > MAX_PROBLEMS {
        problems.push(format!("and {} more", errors.len() - MAX_PROBLEMS));
    }
    let first = problems.first().cloned().unwrap_or_else(|| "no reason is known".to_owned());
    let more = match errors.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    RejectionReport { class: rejection.class, summary: format!("{first}{more}"), problems }
}

pub(super) fn change_report(
    id: &str,
    kind: &str,
    verdict: ChangeOutcome,
    class: Option<String>,
    summary: Option<String>,
    problems: Vec<String>,
) -> ChangeReport {
    let at = timestamp(SystemTime::now());
    ChangeReport { id: id.to_owned(), kind: kind.to_owned(), verdict, class, summary, problems, at }
}
