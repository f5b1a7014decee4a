//! The section about the changes of the control plane: taken as they come, or kept waiting by an operator.

use maud::{Markup, html};

use crate::management::page::clean::clean;
use crate::management::page::parts::{Tone, state};
use crate::management::page::view::View;
use crate::status::{Pause, SyncStatus};

/// The button has one id in both states, so that the focus stays on it.
const BUTTON: &str = "act-pause";

/// The ends of a pause that the page offers, in seconds.
const ENDS: [(&str, &str); 4] =
    [("", "until it is resumed"), ("1800", "for 30 min"), ("7200", "for 2 h"), ("86400", "for 1 day")];

/// Returns the section; nothing on a gateway without a control plane.
pub(super) fn section(view: &View<'_>) -> Markup {
    let (paused, sync) = (view.status.paused.as_ref(), view.status.sync.as_ref());
    html! {
        @if paused.is_some() || sync.is_some() {
            section #changes.card aria-labelledby="changes-title" data-live {
                header { h2 #changes-title { "Changes of the control plane" } }
                @match paused {
                    Some(pause) => { (present(view, pause, sync)) (resume(view)) }
                    None => {
                        p.row { (state(Tone::Ok, "applied")) " as they come" }
                        (pause(view))
                    }
                }
            }
        }
    }
}

/// Returns the pause: since when, by whom, why, until when, and what waits.
fn present(view: &View<'_>, pause: &Pause, sync: Option<&SyncStatus>) -> Markup {
    let waiting = sync.map_or(0, SyncStatus::waits_for_resume);
    html! {
        div.row {
            p {
                (state(Tone::Warn, "paused")) " " (view.now.age(pause.since)) " by " (clean(&pause.by))
                @match pause.until {
                    Some(until) => { ", until " (view.now.date(until)) }
                    None => ", until it is resumed",
                }
            }
            p { (clean(&pause.reason)) }
            p.muted {
                @match waiting {
                    0 => "No change waits.",
                    1 => "1 change waits.",
                    more => { (more) " changes wait." }
                }
            }
        }
    }
}

/// Returns the form that pauses. It needs the script, as every action does.
fn pause(view: &View<'_>) -> Markup {
    html! {
        form #pause.row.fields.needs-script method="post" action=(view.path("sync/pause")) data-act data-reset
            data-ask="Pause the changes of the control plane?"
            data-consequence="Changes wait until the pause ends. Edits of the files apply. The reason is shown here and recorded."
            data-yes="Pause" {
            div.field.wide {
                label for="pause-reason" { "Reason, for those who see the pause" }
                input #pause-reason name="reason" required maxlength="500" autocomplete="off" aria-describedby="pause-error" data-at-fault;
            }
            div.field {
                label for="pause-end" { "Pause" }
                select #pause-end name="for_secs" data-number data-optional {
                    @for (value, text) in ENDS { option value=(value) selected[value.is_empty()] { (text) } }
                }
            }
            button id=(BUTTON) { "Pause" }
            p #pause-error.error role="alert" data-error {}
        }
    }
}

/// Returns the form that ends the pause.
fn resume(view: &View<'_>) -> Markup {
    html! {
        form.row.needs-script method="post" action=(view.path("sync/resume")) data-act
            data-ask="Resume the changes of the control plane?"
            data-consequence="The changes that wait are applied, oldest first."
            data-yes="Resume" {
            button id=(BUTTON) { "Resume" }
        }
    }
}
