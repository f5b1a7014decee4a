//! The small parts of the page: states, places in files, problems, buttons.

use maud::{Markup, html};

use crate::management::page::clean::clean;
use crate::management::page::times::Now;
use crate::status::ProblemReport;

/// The state of a thing. It is shown as a sign, a word and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Ok,
    Warn,
    Bad,
    Neutral,
}

impl Tone {
    /// The class of its colour.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Neutral => "",
        }
    }

    /// The sign that tells it without colour.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warn => "!",
            Self::Bad => "✕",
            Self::Neutral => "–",
        }
    }
}

/// Returns a state.
pub(super) fn state(tone: Tone, word: &str) -> Markup {
    html! { span class={ "state " (tone.class()) } { span aria-hidden="true" { (tone.sign()) } span { (word) } } }
}

/// Returns the place of a problem as `file:line`; `None` for one without a file.
pub(super) fn place(problem: &ProblemReport) -> Option<String> {
    let file = clean(problem.file.as_deref()?);
    Some(problem.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
}

/// Returns a problem: its place, the message and the remedy.
pub(super) fn problem(problem: &ProblemReport, now: Now) -> Markup {
    // A problem of a whole file has its name as the key.
    let has_key = problem.file.as_deref() != Some(problem.key.as_str());
    html! {
        p {
            @if let Some(place) = place(problem) { code { (place) } " " }
            @if has_key { code.muted { (clean(&problem.key)) } }
        }
        p { (now.prose(&problem.message)) }
        @if let Some(help) = &problem.help { p.muted { "Remedy: " (now.prose(help)) } }
    }
}

/// A button that sends an operation.
#[derive(Debug)]
pub(super) struct Button<'a> {
    pub(super) id: &'a str,
    pub(super) path: String,
    pub(super) label: &'a str,
    /// The question, the consequence and the answer that goes on; `None` for what can be repeated without harm.
    pub(super) ask: Option<[String; 3]>,
    /// The fields of its body: numbers.
    pub(super) fields: &'a [(&'a str, u64)],
    /// Set if the operation tells what it would do: `dry_run`.
    pub(super) is_foreseen: bool,
}

impl Button<'_> {
    /// Returns the form with the button. It needs the script: what comes as a form could come from a page of another site.
    pub(super) fn render(&self) -> Markup {
        let [question, consequence, yes] = match &self.ask {
            Some(ask) => ask.each_ref().map(|text| Some(text.as_str())),
            None => [None; 3],
        };
        html! {
            form.needs-script method="post" action=(self.path) data-act data-ask=[question]
                data-consequence=[consequence] data-yes=[yes] data-foreseen[self.is_foreseen] {
                @for (name, value) in self.fields { input type="hidden" name=(name) value=(value) data-number; }
                button id=(self.id) { (self.label) }
            }
        }
    }
}
