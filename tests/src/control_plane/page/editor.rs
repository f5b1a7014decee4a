//! The editor of one document: its text with line numbers, and the line that is wrong.

use maud::{Markup, html};

use super::parts::{Danger, address};
use super::timeline;
use super::view::{Editing, View};
use crate::control_plane::change::{ChangeView, Status};
use crate::control_plane::document::{Document, Kind};
use crate::control_plane::gateway::Gateway;

/// The fewest lines of the editor.
const SHORTEST: usize = 8;

/// Returns the section; nothing while no document is open.
pub(super) fn section(view: &View<'_>, gateway: &Gateway) -> Markup {
    match view.editing {
        Editing::Nothing => html! { div #editor data-live {} },
        Editing::Missing => html! {
            div #editor data-live {
                p.note.bad { "The address names a document that this gateway does not have. Choose one from the list above." }
            }
        },
        Editing::New(kind) => card(gateway, kind, None, template(kind), &html! {}),
        Editing::Stored(document) => {
            let verdict =
                view.change_of(document).map_or_else(|| html! {}, |change| verdict(change, document));
            card(gateway, document.kind, Some(document), &document.toml, &verdict)
        }
    }
}

fn card(gateway: &Gateway, kind: Kind, stored: Option<&Document>, text: &str, verdict: &Markup) -> Markup {
    let title = match stored {
        Some(document) => format!("{} {}", kind.name(), document.name),
        None => format!("New {}", kind.name()),
    };
    html! {
        section #editor.card aria-labelledby="editor-title" {
            header {
                h2 #editor-title data-live { (title) }
                a.button href={ (address(gateway, &[])) "#documents" } { "Close" }
            }
            div #document-verdict data-live { (verdict) }
            div #document-text.row data-live { (form(gateway, kind, stored, text)) }
            div #document-actions data-live {
                @if let Some(document) = stored.filter(|document| document.kind != Kind::Gateway) {
                    div.row.actions { (delete(gateway, document)) }
                }
            }
        }
    }
}

fn form(gateway: &Gateway, kind: Kind, stored: Option<&Document>, text: &str) -> Markup {
    let then = address(gateway, &[("document", &format!("{}/", kind.name()))]) + "{name}";
    let draft = format!("{}/{}/{}", gateway.code, kind.name(), stored.map_or("", |document| &document.name));
    let lines = text.lines().count().max(SHORTEST);
    html! {
        form #document-form method="post" action="/dev/documents" data-act data-draft=(draft) data-then=(then) {
            input type="hidden" name="gateway_id" value=(gateway.id);
            input type="hidden" name="type" value=(kind.name());
            input type="hidden" name="id" value=(stored.map_or("", |document| &document.id)) data-optional;
            label for="document-toml" { "TOML" }
            div.editor {
                pre.lines aria-hidden="true" { @for line in 1..=lines { (line) "\n" } }
                textarea #document-toml name="toml" spellcheck="false" wrap="off" autocapitalize="off" autocomplete="off"
                    rows=(lines) aria-describedby="document-error" { "\n" (text) }
            }
            p #document-error.error role="alert" {}
            p.note.warn data-draft-note hidden {}
            div.actions.needs-script {
                button #document-save.primary { "Save and send to the gateway" }
                button type="button" data-discard hidden { "Discard my edits" }
            }
        }
    }
}

fn delete(gateway: &Gateway, document: &Document) -> Markup {
    Danger {
        id: "document-delete",
        path: format!("/dev/documents/{}/delete", document.id),
        label: "Delete document",
        question: format!("Delete the {} {}?", document.kind.name(), document.name),
        consequence: "It is deleted here. The protocol has no change that deletes: the gateway keeps its file.",
        fields: &[("gateway_id", &gateway.id)],
        then: address(gateway, &[]),
    }
    .render()
}

/// Returns the answer of the gateway to the text, with the line that the script marks.
fn verdict(change: &ChangeView, document: &Document) -> Markup {
    let is_failed = change.status == Status::Failed;
    let is_of_this_text = change.toml_config == document.toml;
    let line = timeline::line_of(change).filter(|_| is_failed && is_of_this_text);
    html! {
        div.row data-line=[line] {
            p { (timeline::state_of(change)) " at the gateway" }
            @if is_failed { (timeline::reason(change)) }
        }
    }
}

/// The text of a new document.
fn template(kind: Kind) -> &'static str {
    match kind {
        Kind::Gateway => "[proxy]\n",
        Kind::Pipeline => {
            "[pipelines.new-pipeline]\nnetworks = [\"default\"]\nendpoints = [\"new-endpoint\"]\n\
             backends = [\"new-backend\"]\n\n[endpoints.new-endpoint]\nservice = \"http\"\n\
             options = { path_prefix = \"/new\" }\n\n[backends.new-backend]\nservice = \"http\"\n\
             options = { base_url = \"http://127.0.0.1:9000\" }\n"
        }
        Kind::Mesh => {
            "[mesh.new-mesh]\ntype = \"http\"\nprovider = \"runbeam\"\nauth_type = \"jwt\"\ningress = []\negress = []\n"
        }
        Kind::Transform => {
            "[transform.new-transform]\ninstructions = '''[{\"operation\": \"shift\", \"spec\": {\"*\": \"&\"}}]'''\n"
        }
    }
}
