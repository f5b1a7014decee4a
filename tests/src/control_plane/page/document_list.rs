//! The documents of the selected gateway, each with the state of its newest change.

use maud::{Markup, html};

use super::parts::{address, age};
use super::timeline;
use super::view::{Editing, View};
use crate::control_plane::document::Document;
use crate::control_plane::gateway::Gateway;

/// The kinds that the page makes new documents of.
const NEW: [&str; 3] = ["pipeline", "mesh", "transform"];

/// Returns the section.
pub(super) fn section(view: &View<'_>, gateway: &Gateway) -> Markup {
    let documents = view.documents(gateway);
    html! {
        section #documents.card aria-labelledby="documents-title" data-live {
            header {
                h2 #documents-title { "Documents" }
                @for kind in NEW {
                    a.button id={ "new-" (kind) } href={ (address(gateway, &[("new", kind)])) "#editor" } { "New " (kind) }
                }
            }
            @if documents.is_empty() {
                p.empty {
                    "No document yet. Make one with the buttons above, or start the gateway with "
                    code { "RUNBEAM_PUSH_CONFIG_ON_STARTUP=true" } " to have its files here."
                }
            } @else {
                table role="table" aria-labelledby="documents-title" {
                    thead { tr {
                        th scope="col" { "Document" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Saved" }
                        th scope="col" { "At the gateway" }
                    } }
                    tbody { @for document in documents { (row(view, gateway, document)) } }
                }
            }
        }
    }
}

fn row(view: &View<'_>, gateway: &Gateway, document: &Document) -> Markup {
    let name = format!("{}/{}", document.kind.name(), document.name);
    let is_open = matches!(view.editing, Editing::Stored(open) if std::ptr::eq(open, document));
    html! {
        tr role="row" class=[is_open.then_some("selected")] {
            th scope="row" {
                a id={ "open-" (name) } href={ (address(gateway, &[("document", &name)])) "#editor" }
                    aria-current=[is_open.then_some("true")] { (document.name) }
            }
            td role="cell" data-label="Kind" { (document.kind.name()) }
            td role="cell" data-label="Saved" { (age(view.now, document.updated_at)) }
            td role="cell" data-label="Gateway" {
                @match view.change_of(document) {
                    Some(change) => (timeline::state_of(change)),
                    None => span.muted { "came from the gateway" },
                }
            }
        }
    }
}
