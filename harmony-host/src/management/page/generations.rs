//! The third section: the attempts to apply a configuration, newest first, and the way back to each that was live.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use crate::management::page::clean::clean;
use crate::management::page::parts::{Button, Tone, state};
use crate::management::page::view::View;

/// The changes of one generation that are shown before "and more".
const MAX_CHANGED: usize = 5;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    html! {
        section #generations.card aria-labelledby="generations-title" data-live {
            header { h2 #generations-title { "Generations" } }
            @match &view.history {
                Some(history) => (entries(view, history)),
                None => (only_served(view)),
            }
        }
    }
}

fn entries(view: &View<'_>, history: &Value) -> Markup {
    let served = history["served"].as_u64();
    let entries = history["entries"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        @if let Some(failure) = history["failure"].as_str() {
            p.row { (state(Tone::Bad, "not recorded")) " " (view.now.prose(failure)) }
        }
        @if entries.is_empty() { (only_served(view)) }
        ol { @for entry in entries { (attempt(view, entry, served)) } }
        @if !history["next"].is_null() {
            p.row.muted { code { "harmony-host history" } " shows the generations before." }
        }
    }
}

/// Returns one attempt: its number, cause, verdict and differences.
fn attempt(view: &View<'_>, entry: &Value, served: Option<u64>) -> Markup {
    let generation = entry["generation"].as_u64();
    let at = entry["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let changed = entry["changed"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        li.generation {
            span.number { @match generation { Some(number) => (number), None => "–" } }
            div.what {
                p { (clean(entry["cause_text"].as_str().unwrap_or("unknown cause"))) }
                p.muted.small { @if let Some(at) = at { (view.now.date(at)) } }
                @if let Some(problem) = entry["problem"].as_str() { p { (view.now.prose(problem)) } }
                @if !changed.is_empty() {
                    ul {
                        @for change in changed.iter().take(MAX_CHANGED).filter_map(Value::as_str) { li { (clean(change)) } }
                        @if changed.len() > MAX_CHANGED { li { "and " (changed.len() - MAX_CHANGED) " more" } }
                    }
                }
            }
            div.verdict-of {
                @match generation {
                    Some(number) if Some(number) == served => (state(Tone::Ok, "served")),
                    Some(number) => { (state(Tone::Neutral, "was served")) (roll_back(view, number)) }
                    None => (state(Tone::Bad, &format!("rejected ({})", clean(entry["class"].as_str().unwrap_or("unknown"))))),
                }
            }
        }
    }
}

/// Returns the button that restores a generation. The script asks the gateway what that means before it asks the person.
fn roll_back(view: &View<'_>, generation: u64) -> Markup {
    Button {
        id: &format!("roll-back-{generation}"),
        path: view.path("rollback"),
        label: "Roll back",
        ask: Some([
            format!("Roll back to generation {generation}?"),
            "Its files replace those of the configuration, as an edit that is applied at once.".to_owned(),
            format!("Roll back to {generation}"),
        ]),
        fields: &[("generation", generation)],
        is_foreseen: true,
    }
    .render()
}

/// Returns the served generation alone.
fn only_served(view: &View<'_>) -> Markup {
    html! {
        @if let Some(effective) = &view.status.effective {
            div.generation {
                span.number { (effective.generation) }
                p { "since " (view.now.date(effective.since)) }
                (state(Tone::Ok, "served"))
            }
        }
        @if view.history.is_none() {
            p.row.muted { "This gateway records no history: the generations before this one are not known." }
        }
    }
}
