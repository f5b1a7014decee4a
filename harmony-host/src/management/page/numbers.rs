//! The fifth section: numbers.

use maud::{Markup, html};

use crate::management::page::view::View;
use crate::storage::syncs;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    html! {
        section #numbers.card aria-labelledby="numbers-title" data-live {
            header { h2 #numbers-title { "Numbers" } }
            dl.facts {
                @if let Some(sync) = &view.status.sync {
                    @for (name, count) in [
                        ("Changes without a verdict", sync.unsettled),
                        ("Verdicts to report", sync.undelivered),
                        ("Rejected changes that are tried again", sync.quarantined),
                        ("Failed syncs in a row", sync.failure.as_ref().map_or(0, |failure| failure.times as usize)),
                    ] {
                        div { dt { (name) } dd { (count) } }
                    }
                }
                div { dt { "Files of the configuration" } dd { (view.snapshot.documents.files().count()) } }
                div { dt { "Syncs of the disk" } dd { (syncs::total()) } }
            }
        }
    }
}
