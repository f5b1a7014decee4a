//! The changes: each with its way from pending over acknowledged to applied or failed, with the reason and the place.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{Tone, address, age, state};
use super::view::View;
use crate::control_plane::change::{ChangeView, Status};

/// The most changes on the page.
const MAX_CHANGES: usize = 50;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    let changes: Vec<_> = view.changes().take(MAX_CHANGES).collect();
    html! {
        section #changes.card aria-labelledby="changes-title" data-live {
            header {
                h2 #changes-title { "Changes" @if let Some(gateway) = view.gateway { " of " (gateway.code) } }
            }
            @if changes.is_empty() {
                p.empty { "No change yet. Save settings or a document: it is sent as a change." }
            } @else {
                ol #change-rows { @for change in &changes { (entry(view, change)) } }
                @if view.changes().count() > MAX_CHANGES { p.row.muted { "The newest " (MAX_CHANGES) " are shown." } }
            }
        }
    }
}

fn entry(view: &View<'_>, change: &ChangeView) -> Markup {
    let gateway = view.state.gateway(&change.gateway_id);
    html! {
        li.row.change id={ "change-" (change.id) } {
            div.head {
                h3 {
                    (change.kind) " "
                    @if let (Some((kind, name)), Some(gateway)) = (change.document(), gateway) {
                        @let document = format!("{kind}/{name}");
                        a href={ (address(gateway, &[("document", &document)])) "#editor" } { (name) }
                    }
                }
                @if let Some(gateway) = gateway.filter(|_| view.gateway.is_none()) { span.muted { "of " (gateway.code) } }
                code.muted { (change.id) }
                span.status { (state_of(change)) }
            }
            (steps(view.now, change))
            @if change.status == Status::Failed { (reason(change)) }
        }
    }
}

/// Returns the steps of a change: those behind it, and those ahead.
fn steps(now: Timestamp, change: &ChangeView) -> Markup {
    let verdict = match change.status {
        Status::Failed => (Tone::Bad, "failed", change.failed_at),
        _ => (Tone::Ok, "applied", change.applied_at),
    };
    let sent = if change.status == Status::Queued { "queued" } else { "pending" };
    let steps = [
        (Tone::Ok, sent, Some(change.created_at)),
        (Tone::Ok, "acknowledged", change.acknowledged_at),
        verdict,
    ];
    html! {
        ol.steps {
            @for (tone, word, at) in steps {
                li {
                    @match at {
                        Some(at) => { (state(tone, word)) " " span.muted.small { (age(now, at)) } }
                        None => (state(Tone::Neutral, word)),
                    }
                }
            }
        }
    }
}

/// Returns the state of a change.
pub(super) fn state_of(change: &ChangeView) -> Markup {
    match change.status {
        Status::Queued => state(Tone::Warn, "queued"),
        Status::Pending => state(Tone::Warn, "pending"),
        Status::Acknowledged => state(Tone::Warn, "acknowledged"),
        Status::Applied => state(Tone::Ok, "applied"),
        Status::Failed => state(Tone::Bad, "failed"),
    }
}

/// Returns the reason of a failed change.
pub(super) fn reason(change: &ChangeView) -> Markup {
    // The message of a change with one problem has it whole.
    let is_new =
        |detail: &&String| change.error_message.as_ref().is_none_or(|message| !message.contains(*detail));
    let details = change.error_details.iter().flatten().filter(is_new);
    html! {
        div.reason {
            @if let Some(message) = &change.error_message { p { (message) } }
            @for detail in details { pre { (detail) } }
        }
    }
}

/// Returns the line of the document at which a change failed: the first `.toml:LINE` in its reason.
pub(super) fn line_of(change: &ChangeView) -> Option<usize> {
    let mut texts = change.error_message.iter().chain(change.error_details.iter().flatten());
    texts.find_map(|text| {
        let (_, rest) = text.split_once(".toml:")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..digits)?.parse().ok()
    })
}
