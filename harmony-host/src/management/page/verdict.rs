//! The first section: one sentence that says if all is well, and the facts that it follows from.

use maud::{Markup, html};

use crate::management::page::clean::clean;
use crate::management::page::parts::{Button, Tone, place, state};
use crate::management::page::view::View;
use crate::status::{AttemptVerdict, Attempted, Authorization, ChangeOutcome, ChangeReport, SyncStatus};

/// The verdict on the gateway.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) tone: Tone,
    /// A few words, for the title of the window.
    pub(super) title: &'static str,
    sentence: Markup,
    /// The reason, where the sentence does not have it.
    reason: Option<String>,
}

impl Verdict {
    /// Returns the verdict.
    pub(super) fn of(view: &View<'_>) -> Self {
        let status = &*view.status;
        let rejected =
            status.attempted.as_ref().filter(|attempted| attempted.verdict == AttemptVerdict::Rejected);
        let reason = status.reason();
        match (&status.sync, rejected) {
            _ if status.effective.is_none() => Self {
                tone: Tone::Bad,
                title: "Nothing is served",
                sentence: html! { "Nothing is served: no configuration was good yet" },
                reason,
            },
            (_, Some(attempted)) => {
                Self { tone: Tone::Bad, title: "Files rejected", sentence: broken(attempted), reason: None }
            }
            (None, _) if status.in_sync() => Self {
                tone: Tone::Ok,
                title: "In sync",
                sentence: html! { "In sync with the files, serving generation " (view.snapshot.generation) },
                reason,
            },
            (Some(sync), _) if status.in_sync() => {
                Self { tone: Tone::Ok, title: "In sync", sentence: in_sync(view, sync), reason }
            }
            (Some(_), _) if status.is_unknown() => Self {
                tone: Tone::Warn,
                title: "Not known",
                sentence: html! { "In sync is not known" },
                reason,
            },
            (Some(sync), _) => Self::out_of_sync(view, sync, reason),
            (None, None) => Self {
                tone: Tone::Warn,
                title: "Applying",
                sentence: html! { "Not in sync with the files yet" },
                reason,
            },
        }
    }

    fn out_of_sync(view: &View<'_>, sync: &SyncStatus, reason: Option<String>) -> Self {
        let is_authorized = matches!(sync.authorization, Authorization::Valid | Authorization::None);
        let rejected = sync.last_change.as_ref().filter(|change| {
            sync.rejected.is_some() && change.verdict == ChangeOutcome::Rejected && sync.failure.is_none()
        });
        let (tone, sentence) = match rejected {
            _ if !is_authorized => (Tone::Bad, html! { "Not in sync: not authorized by " (with(view)) }),
            Some(change) => (Tone::Bad, rejected_change(view, change)),
            None if sync.failure.is_some() => {
                (Tone::Bad, html! { "Not in sync: no answer of use from " (with(view)) })
            }
            None if sync.rejected.is_some() => {
                (Tone::Bad, html! { "Not in sync with " (with(view)) ": a change was rejected" })
            }
            None => (Tone::Warn, html! { "Not in sync with " (with(view)) " yet" }),
        };
        Self { tone, title: "Not in sync", sentence, reason }
    }

    /// Returns the section.
    pub(super) fn render(&self, view: &View<'_>) -> Markup {
        let class = format!("card verdict {}", self.tone.class());
        html! {
            section #verdict class=(class) aria-labelledby="sentence" data-live data-say=(self.title) {
                div.sentence {
                    span.sign aria-hidden="true" { (self.tone.sign()) }
                    h1 #sentence { (self.sentence) }
                    @if let Some(reason) = &self.reason { p { (view.now.prose(reason)) } }
                }
                (facts(view))
                div.row.actions {
                    @if view.status.sync.is_some() {
                        (Button { id: "act-sync", path: view.path("sync"), label: "Sync now", ask: None, fields: &[], is_foreseen: false }.render())
                    }
                    (Button { id: "act-reload", path: view.path("reload"), label: "Read the files again", ask: None, fields: &[], is_foreseen: false }.render())
                    @if view.status.is_unknown() { (accept(view)) }
                }
            }
        }
    }
}

/// Returns the provider with the host of its control plane.
fn with(view: &View<'_>) -> Markup {
    let (name, host) = view.provider();
    html! { (clean(&name)) @if let Some(host) = host { " (" (clean(&host)) ")" } }
}

fn in_sync(view: &View<'_>, sync: &SyncStatus) -> Markup {
    html! {
        "In sync with " (with(view))
        @if let Some(at) = sync.heard_at { ", heard " (view.now.age(at)) }
        ", serving generation " (view.snapshot.generation)
    }
}

fn rejected_change(view: &View<'_>, change: &ChangeReport) -> Markup {
    let class = change.class.as_deref().unwrap_or("rejected");
    html! {
        "Not in sync: " (clean(&change.kind)) " change " (clean(&change.id)) " rejected (" (class) "), "
        (view.now.age(change.at))
    }
}

fn broken(attempted: &Attempted) -> Markup {
    let first = attempted.problems.first().and_then(place);
    html! {
        "Serving the last good configuration: "
        @match first {
            Some(place) => { (place) " is broken" }
            None => { "the files are broken" }
        }
        @if attempted.problems.len() > 1 { ", and " (attempted.problems.len() - 1) " more" }
    }
}

/// Returns what is desired, what is live, and when the control plane was heard.
fn facts(view: &View<'_>) -> Markup {
    let (status, now) = (&*view.status, view.now);
    html! {
        dl.facts {
            @if let Some(effective) = &status.effective {
                div {
                    dt { "Serving" }
                    dd { "generation " (effective.generation) ", since " (now.age(effective.since)) }
                    dd.muted.small { code { (short(&effective.digest)) } }
                }
            }
            div {
                dt { "In the files" }
                dd {
                    @match status.effective.as_ref().is_some_and(|live| live.digest == status.desired.digest) {
                        true => (state(Tone::Ok, "the same")),
                        false => (state(Tone::Bad, "different")),
                    }
                    ", read " (now.age(status.desired.read_at))
                }
                dd.muted.small { code { (short(&status.desired.digest)) } }
            }
            @if let Some(sync) = &status.sync { (control_plane(view, sync)) }
            @if let Some(saved) = &status.last_good {
                div {
                    dt { "Saved for a restart" }
                    dd {
                        @match (&saved.failure, saved.at) {
                            (Some(_), _) => (state(Tone::Bad, "not what is served")),
                            (None, Some(at)) => { (state(Tone::Ok, "saved")) " " (now.age(at)) }
                            (None, None) => (state(Tone::Neutral, "not yet")),
                        }
                    }
                }
            }
        }
    }
}

fn control_plane(view: &View<'_>, sync: &SyncStatus) -> Markup {
    let now = view.now;
    html! {
        div {
            dt { "Control plane" }
            dd {
                @match sync.heard_at {
                    Some(at) => { "heard " (now.age(at)) }
                    None => "not heard yet",
                }
            }
            dd.muted.small {
                "asked " (clean(&sync.cadence))
                @if let Some(due) = sync.due_at.filter(|due| now.is_far_before(*due)) { ", next " (now.age(due)) }
            }
        }
        div {
            dt { "Authorization" }
            dd {
                @match (sync.authorization, view.authorization_ends_soon()) {
                    (Authorization::None, _) => (state(Tone::Neutral, "not needed")),
                    (Authorization::Valid, false) => (state(Tone::Ok, "valid")),
                    (Authorization::Valid, true) => (state(Tone::Warn, "ends soon")),
                    (Authorization::Missing, _) => (state(Tone::Bad, "missing")),
                    (Authorization::Expired, _) => (state(Tone::Bad, "expired")),
                    (Authorization::Refused, _) => (state(Tone::Bad, "refused")),
                }
            }
            @if let Some(until) = sync.authorized_until { dd.muted.small { "ends " (now.age(until)) } }
        }
    }
}

/// Returns the button that accepts what a new state cannot know.
fn accept(view: &View<'_>) -> Markup {
    let ask = [
        "Accept that the state of this gateway is new?".to_owned(),
        "Changes that an earlier state of it has taken are not seen here. The gateway then says \"in sync\" from what it hears \
         from now on."
            .to_owned(),
        "Accept the new state".to_owned(),
    ];
    let path = view.path("sync/accept-fresh");
    Button {
        id: "act-accept",
        path,
        label: "Accept the new state",
        ask: Some(ask),
        fields: &[],
        is_foreseen: false,
    }
    .render()
}

/// Returns the first digits of a digest.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
