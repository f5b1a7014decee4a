//! The small parts of the page: states, times, buttons, addresses.

use jiff::Timestamp;
use maud::{Markup, html};
use url::form_urlencoded::Serializer;

use crate::control_plane::gateway::Gateway;

/// The way a state is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Ok,
    Warn,
    Bad,
    Neutral,
}

impl Tone {
    /// The class of its colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Neutral => "",
        }
    }

    /// The sign that tells it without colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warn => "…",
            Self::Bad => "✕",
            Self::Neutral => "–",
        }
    }
}

/// Returns a state: a sign, a word and a colour.
pub(super) fn state(tone: Tone, word: &str) -> Markup {
    html! { span class={ "state " (tone.class()) } { span aria-hidden="true" { (tone.sign()) } span { (word) } } }
}

/// Returns an element with the age of a time.
pub(super) fn age(now: Timestamp, at: Timestamp) -> Markup {
    html! { time datetime=(at) title=(absolute(at)) data-age { (in_words(now, at)) } }
}

/// Returns a time with its age.
pub(super) fn date(now: Timestamp, at: Timestamp) -> Markup {
    html! { (absolute(at)) " (" (age(now, at)) ")" }
}

fn absolute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns the distance of two times. The script counts on in the same words (times.js).
fn in_words(now: Timestamp, at: Timestamp) -> String {
    let distance = now.duration_since(at);
    let count = distance.as_secs().unsigned_abs();
    let (number, unit) = match count {
        0 if distance.is_negative() => return "in a moment".to_owned(),
        0 => return "just now".to_owned(),
        1..60 => (count, "s"),
        60..3600 => (count / 60, "min"),
        3600..172_800 => (count / 3600, "h"),
        _ => (count / 86_400, "days"),
    };
    if distance.is_negative() { format!("in {number} {unit}") } else { format!("{number} {unit} ago") }
}

/// Returns the address of the page with a gateway selected, and `more` beside it.
pub(super) fn address(gateway: &Gateway, more: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("gateway", &gateway.code).extend_pairs(more);
    format!("/?{}", query.finish())
}

/// A button that sends a call after a question.
pub(super) struct Danger<'a> {
    pub(super) id: &'a str,
    pub(super) path: String,
    pub(super) label: &'a str,
    pub(super) question: String,
    pub(super) consequence: &'a str,
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// The address of the page afterwards.
    pub(super) then: String,
}

impl Danger<'_> {
    /// Returns the form with the button.
    pub(super) fn render(&self) -> Markup {
        html! {
            form.needs-script method="post" action=(self.path) data-act data-ask=(self.question)
                data-consequence=(self.consequence) data-yes=(self.label) data-then=(self.then) {
                @for (name, value) in self.fields { input type="hidden" name=(name) value=(value); }
                button.danger id=(self.id) { (self.label) }
            }
        }
    }
}
