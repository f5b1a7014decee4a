//! The explanation of a URL: which route it takes on each network, why, and which routes it does not take.

use maud::{Markup, html};
use serde_json::Value;

use crate::management::page::clean::clean;
use crate::management::page::parts::{Tone, state};
use crate::management::page::view::View;

/// Returns the explanation; nothing while none was asked for.
pub(super) fn explanation(view: &View<'_>) -> Markup {
    let Some(answer) = &view.explained else { return html! {} };
    let networks = answer["networks"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        div.why {
            h3 { "The way of " code { (text(&answer["asked"])) } }
            @if let Some(note) = answer["note"].as_str() { p.muted { (view.now.prose(note)) } }
            @for one in networks { (network(view, one)) }
        }
    }
}

fn network(view: &View<'_>, network: &Value) -> Markup {
    let outcome = network["outcome"].as_str().unwrap_or_default();
    let tone = match outcome {
        "route" => Tone::Ok,
        "management" => Tone::Neutral,
        _ => Tone::Bad,
    };
    html! {
        div.way {
            p {
                (state(tone, &outcome.replace('_', " "))) " on network " strong { (text(&network["network"])) }
                @if let Some(listener) = network["listener"].as_str() { " " code { (clean(listener)) } }
                @if let Some(status) = network["status"].as_u64() { ", answered " (status) }
            }
            p { (view.now.prose(network["in_words"].as_str().unwrap_or_default())) }
            @if network["route"].is_object() { (route(view, &network["route"])) }
            @if let Some(others) = network["others"].as_array().filter(|others| !others.is_empty()) { (not_taken(others)) }
        }
    }
}

fn route(view: &View<'_>, route: &Value) -> Markup {
    let rows = [
        ("Route", &route["prefix"]),
        ("Endpoint", &route["endpoint"]),
        ("Ingress", &route["ingress"]),
        ("Admission", &route["admission"]["in_words"]),
        ("Leads to", &route["leads_to"]["in_words"]),
    ];
    html! {
        dl.rows {
            @for (name, value) in rows {
                @if let Some(value) = value.as_str() { dt { (name) } dd { (view.now.prose(value)) } }
            }
        }
    }
}

fn not_taken(others: &[Value]) -> Markup {
    html! {
        ul.small.muted {
            @for other in others {
                li {
                    "not " code { (text(&other["prefix"])) } " of " (text(&other["pipeline"])) ": " (text(&other["why_not"]))
                }
            }
        }
    }
}

/// Returns a text of the answer, or `-`.
fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or("-"))
}
