//! The fifth section: requests and refusals of the last minutes, the sync, and the caches.

use std::collections::BTreeMap;

use maud::{Markup, html};
use provider_api::DisplayDuration;

use crate::management::page::samples::Numbers;
use crate::management::page::view::View;

/// The most reasons of refusals on the page.
const MAX_REASONS: usize = 10;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    html! {
        section #numbers.card aria-labelledby="numbers-title" data-live {
            header {
                h2 #numbers-title { "Numbers" }
                @if let Some(numbers) = &view.numbers {
                    span.muted {
                        @match numbers.span {
                            Some(span) => { "of the last " (DisplayDuration(span)) }
                            None => "since the start",
                        }
                    }
                }
            }
            @match &view.numbers {
                Some(numbers) => (requests(numbers)),
                None => p.empty { "This gateway does not count its requests." },
            }
            dl.facts { (sync(view)) @if let Some(numbers) = &view.numbers { (caches(numbers)) } }
        }
    }
}

/// Returns the requests by the class of the response, then those that the gateway refused by reason.
fn requests(numbers: &Numbers) -> Markup {
    let counted = &numbers.counted;
    let total: u64 = counted.responses.values().sum();
    if total == 0 {
        return html! { p.empty { "No request yet." } };
    }
    let mut refusals: Vec<_> = counted.refusals.iter().collect();
    refusals.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! {
        h3.row #responses-title { "Responses" }
        (bars("responses-title", counted.responses.iter(), total))
        @if !refusals.is_empty() {
            h3.row #refusals-title { "Refused by the gateway itself" }
            (bars("refusals-title", refusals.into_iter().take(MAX_REASONS), total))
        }
    }
}

/// Returns a bar for each count, as a part of `total`.
fn bars<'c>(title: &str, counts: impl Iterator<Item = (&'c String, &'c u64)>, total: u64) -> Markup {
    html! {
        ul.bars aria-labelledby=(title) {
            @for (label, count) in counts {
                @let words = label.replace('_', " ");
                li {
                    span { (words) }
                    meter min="0" max=(total) value=(count) aria-label={ (words) ": " (count) " of " (total) } {}
                    span.count { (count) }
                }
            }
        }
    }
}

fn sync(view: &View<'_>) -> Markup {
    let Some(sync) = &view.status.sync else { return html! {} };
    let failures = sync.failure.as_ref().map_or(0, |failure| failure.times as usize);
    html! {
        @for (name, count) in [
            ("Changes without a verdict", sync.unsettled),
            ("Verdicts to report", sync.undelivered),
            ("Rejected changes in quarantine", sync.quarantined),
            ("Failed syncs in a row", failures),
        ] {
            div { dt { (name) } dd { (count) } }
        }
    }
}

/// Returns how many questions each cache has answered itself.
fn caches(numbers: &Numbers) -> Markup {
    let fetches: &BTreeMap<_, _> = &numbers.counted.fetches;
    html! {
        @for (cache, lookups) in &numbers.counted.lookups {
            @let hits = lookups.saturating_sub(fetches.get(cache).copied().unwrap_or_default());
            div { dt { "Cache: " (cache.replace('_', " ")) } dd { (hits) " of " (lookups) " were hits" } }
        }
    }
}
