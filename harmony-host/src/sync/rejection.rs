use std::time::SystemTime;

use provider_api::RejectionReport;

use crate::snapshot::Rejection;
use crate::status::timestamp;
use crate::sync::report::ChangeReport;

/// The most problems that are reported of one change, and the most characters of one.
const MAX_PROBLEMS: usize = 100;
const MAX_PROBLEM_CHARS: usize = 2_000;

pub(super) fn rejection(refusal: &Rejection) -> RejectionReport {
    let errors = refusal.problems.sorted_errors();
    let shorten = |text: String| text.chars().take(MAX_PROBLEM_CHARS).collect::<String>();
    let mut problems: Vec<String> =
        errors.iter().take(MAX_PROBLEMS).map(|problem| shorten(problem.to_string())).collect();
    if errors.len() > MAX_PROBLEMS {
        problems.push(format!("and {} more", errors.len() - MAX_PROBLEMS));
    }
    let first = problems.first().cloned().unwrap_or_else(|| "no reason is known".to_owned());
    let more = match errors.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    RejectionReport { class: refusal.class, summary: format!("{first}{more}"), problems }
}

pub(super) fn told(
    id: &str,
    kind: &str,
    verdict: &'static str,
    class: Option<String>,
    summary: Option<String>,
    problems: Vec<String>,
) -> ChangeReport {
    let at = timestamp(SystemTime::now());
    ChangeReport { id: id.to_owned(), kind: kind.to_owned(), verdict, class, summary, problems, at }
}
