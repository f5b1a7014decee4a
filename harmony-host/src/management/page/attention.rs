//! The second section: what needs a person, with the remedy, and what ends soon.

use maud::{Markup, html};

use crate::diagnostics::logged::counted;
use crate::management::page::clean::clean;
use crate::management::page::parts::{Tone, problem, state};
use crate::management::page::view::View;
use crate::management::troubles::RecentTrouble;
use crate::snapshot::certificates::{CertificateEnd, CertificateState};
use crate::status::{AttemptVerdict, Authorization, ProblemReport, SyncStatus, timestamp};

/// The most problems of one kind on the page: a mistake that every file has must not bury the others.
const MAX_PROBLEMS: usize = 50;

/// The remedy for every credential that is not valid.
const AUTHORIZE: &str = "authorize this gateway with `runbeam harmony:authorize`, or set RUNBEAM_MACHINE_TOKEN in its environment";

/// Something that needs a person.
struct Item {
    tone: Tone,
    word: &'static str,
    what: Markup,
}

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    let items = items(view);
    html! {
        section #attention.card aria-labelledby="attention-title" data-live {
            header { h2 #attention-title { "What needs a person" } @if !items.is_empty() { span.muted { (items.len()) } } }
            @if items.is_empty() {
                p.empty { (state(Tone::Ok, "Nothing")) " No problem, no warning, and nothing ends soon." }
            } @else {
                ul.attention {
                    @for item in &items {
                        li { div { (state(item.tone, item.word)) } div.what { (item.what) } }
                    }
                }
            }
        }
    }
}

fn items(view: &View<'_>) -> Vec<Item> {
    let status = &*view.status;
    let mut items = Vec::new();
    let rejected =
        status.attempted.as_ref().filter(|attempted| attempted.verdict == AttemptVerdict::Rejected);
    if let Some(attempted) = rejected {
        add_problems(&mut items, view, Tone::Bad, "problem", attempted.problems.iter());
    }
    if let Some(sync) = &status.sync {
        authorization(&mut items, view, sync);
        contact(&mut items, view, sync);
    }
    if let Some(failure) = status.last_good.as_ref().and_then(|saved| saved.failure.as_ref()) {
        let what = html! {
            p { "The served configuration is not saved: a restart would not begin with it" }
            p.muted { (view.now.prose(failure)) }
        };
        items.push(Item { tone: Tone::Bad, word: "not saved", what });
    }
    items.extend(view.snapshot.certificates.iter().filter_map(|end| certificate(view, end)));
    items.extend(view.troubles.iter().map(|one| trouble(view, one)));
    if let Some(effective) = &status.effective {
        // A certificate has its own item.
        let others = effective.warnings.iter().filter(|w| !w.message.starts_with("the certificate in "));
        add_problems(&mut items, view, Tone::Warn, "warning", others);
    }
    items
}

fn add_problems<'p>(
    items: &mut Vec<Item>,
    view: &View<'_>,
    tone: Tone,
    word: &'static str,
    problems: impl Iterator<Item = &'p ProblemReport>,
) {
    let all: Vec<_> = problems.collect();
    let shown = all.iter().take(MAX_PROBLEMS);
    items.extend(shown.map(|report| Item { tone, word, what: problem(report, view.now) }));
    if let Some(more) = all.len().checked_sub(MAX_PROBLEMS).filter(|more| *more > 0) {
        let what = html! { p { "and " (more) " more: " code { "harmony-host check" } " shows all" } };
        items.push(Item { tone, word, what });
    }
}

fn authorization(items: &mut Vec<Item>, view: &View<'_>, sync: &SyncStatus) {
    let (name, _) = view.provider();
    let (tone, word, sentence) = match sync.authorization {
        Authorization::None => return,
        Authorization::Valid if !view.authorization_ends_soon() => return,
        Authorization::Valid => (Tone::Warn, "ends soon", "The authorization ends"),
        Authorization::Missing => (Tone::Bad, "missing", "This gateway is not authorized"),
        Authorization::Expired => (Tone::Bad, "expired", "The authorization ended"),
        Authorization::Refused => (Tone::Bad, "refused", "The credential was refused"),
    };
    let what = html! {
        p {
            (sentence) " (" (clean(&name)) ")"
            @if let Some(until) = sync.authorized_until { ": " (view.now.date(until)) }
        }
        @if let Some(problem) = &sync.credential_problem { p { (view.now.prose(problem)) } }
        p.muted { "Remedy: " (AUTHORIZE) }
    };
    items.push(Item { tone, word, what });
}

fn contact(items: &mut Vec<Item>, view: &View<'_>, sync: &SyncStatus) {
    if let Some(failure) = &sync.failure {
        let times = if failure.times == 1 { "once".to_owned() } else { format!("{} times", failure.times) };
        let what = html! {
            p { "The sync has failed " (times) ", first " (view.now.date(failure.since)) }
            p { (view.now.prose(&failure.message)) }
            p.muted { "The gateway keeps serving what it has, and asks again by itself" }
        };
        items.push(Item { tone: Tone::Bad, word: "no contact", what });
    }
    if let Some(change) = sync.rejected.as_ref() {
        let what = html! {
            p { (view.now.prose(change)) }
            @if let Some(last) = sync.last_change.as_ref().filter(|last| !last.problems.is_empty()) {
                ul { @for problem in last.problems.iter().take(MAX_PROBLEMS) { li { code { (clean(problem)) } } } }
            }
            p.muted { "Remedy: correct the document at the control plane; the corrected change is taken by itself" }
        };
        items.push(Item { tone: Tone::Bad, word: "rejected", what });
    }
    for change in sync.not_taken.iter().take(MAX_PROBLEMS) {
        let what = html! { p { (clean(&change.kind)) " change " code { (clean(&change.id)) } " stays pending: " (view.now.prose(&change.reason)) } };
        items.push(Item { tone: Tone::Warn, word: "not taken", what });
    }
    for (word, text) in
        [("not ours", &sync.source_problem), ("busy source", &sync.busy), ("waiting", &sync.unfetched)]
    {
        if let Some(text) = text {
            items.push(Item { tone: Tone::Warn, word, what: html! { p { (view.now.prose(text)) } } });
        }
    }
}

fn trouble(view: &View<'_>, trouble: &RecentTrouble) -> Item {
    let requests = counted(usize::try_from(trouble.count).unwrap_or(usize::MAX), "request");
    let what = html! {
        p {
            (requests) " of " code { (clean(&trouble.of())) } " in 5 minutes: " (trouble.reason)
            @if let Some(origin) = &trouble.origin { ", " code { (clean(origin)) } }
            ", last " (view.now.date(trouble.last_at))
        }
        p { (view.now.prose(&trouble.cause)) }
        p.muted { "Remedy: " (trouble.remedy) }
    };
    let word = if trouble.is_backend() { "backend fails" } else { "refused" };
    Item { tone: Tone::Warn, word, what }
}

fn certificate(view: &View<'_>, end: &CertificateEnd) -> Option<Item> {
    let (tone, word, verb) = match end.state(view.snapshot.providers.now()) {
        CertificateState::Valid => return None,
        CertificateState::EndsSoon => (Tone::Warn, "ends soon", "ends"),
        CertificateState::Expired => (Tone::Bad, "expired", "ended"),
    };
    let what = html! {
        p { "The certificate in " code { (clean(&end.file.value)) } " " (verb) " " (view.now.date(timestamp(end.ends_at))) }
        p { code.muted { (clean(&end.key)) } }
        p.muted { "Remedy: replace the file; the gateway takes the new one without a restart" }
    };
    Some(Item { tone, word, what })
}
