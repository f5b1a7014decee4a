//! The third section: the configurations that were served, newest first.

use maud::{Markup, html};

use crate::management::page::parts::{Tone, clean, state};
use crate::management::page::view::View;
use crate::status::ChangeOutcome;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    html! {
        section #generations.card aria-labelledby="generations-title" data-live {
            header { h2 #generations-title { "Generations" } }
            @if let Some(effective) = &view.status.effective {
                div.generation {
                    span.number { (effective.generation) }
                    div { p { "since " (view.now.date(effective.since)) } (last_change(view)) }
                    (state(Tone::Ok, "served"))
                }
            }
            p.row.muted { "This gateway keeps no history of the generations before." }
        }
    }
}

/// Returns the last change that was tried.
fn last_change(view: &View<'_>) -> Markup {
    let Some(change) = view.status.sync.as_ref().and_then(|sync| sync.last_change.as_ref()) else {
        return html! {};
    };
    let word = match change.verdict {
        ChangeOutcome::Applied => "applied",
        ChangeOutcome::Rejected => "rejected",
        ChangeOutcome::Held => "deferred",
    };
    html! {
        p.muted {
            "Last change: " (clean(&change.kind)) " " code { (clean(&change.id)) } " " (word) " " (view.now.age(change.at))
        }
    }
}
