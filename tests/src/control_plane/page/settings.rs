//! The settings of the selected gateway, and its tokens.

use maud::{Markup, html};

use super::gateways;
use super::parts::{Danger, address, date, state};
use super::view::View;
use crate::control_plane::gateway::Gateway;
use crate::control_plane::gateway_document::GatewayForm;
use crate::control_plane::standing;

/// The providers of the dropdown: value and label.
const PROVIDERS: [(&str, &str); 2] = [("runbeam", "Runbeam Cloud (default)"), ("local", "Local")];

/// Returns the section.
pub(super) fn section(view: &View<'_>, gateway: &Gateway) -> Markup {
    html! {
        section #gateway.card aria-labelledby="gateway-title" {
            header { h2 #gateway-title { "Gateway " (gateway.code) } }
            div #gateway-settings data-live { (form(view, gateway)) }
            div #gateway-tokens.row.tokens data-live { (tokens(view, gateway)) }
        }
    }
}

fn form(view: &View<'_>, gateway: &Gateway) -> Markup {
    let known = view.state.known_config(&gateway.id);
    let interval = standing::interval(view.state, gateway);
    let seconds = known.and_then(GatewayForm::interval_in).map(i64::from).or(interval).unwrap_or(30);
    let primary = GatewayForm::read(known.unwrap_or_default()).primary_provider;
    let other = PROVIDERS.iter().all(|(value, _)| *value != primary).then_some((&*primary, &*primary));
    html! {
        form #gateway-form.row method="post" action={ "/dev/gateways/" (gateway.id) } data-act
            data-draft={ "settings/" (gateway.code) } {
            div.fields {
                div.field.wide {
                    label for="gateway-name" { "Name" }
                    input #gateway-name name="name" value=(gateway.name) required autocomplete="off";
                }
                div.field {
                    label for="gateway-poll-interval" { "Poll interval in seconds" }
                    input #gateway-poll-interval name="poll_interval_secs" type="number" min="0" max="3600" required
                        value=(seconds) aria-describedby="gateway-poll-note";
                }
                div.field {
                    label for="gateway-primary-provider" { "Primary Provider" }
                    select #gateway-primary-provider name="primary_provider" {
                        @for (value, label) in PROVIDERS.into_iter().chain(other) {
                            option value=(value) selected[value == primary] { (label) }
                        }
                    }
                }
                button #gateway-save.primary.needs-script { "Save" }
                button.needs-script type="button" data-discard hidden { "Discard my edits" }
            }
            p.note.warn data-draft-note hidden {}
            p #gateway-poll-note.muted.small {
                @match interval {
                    Some(0) => "The gateway asks when it is told to. ",
                    Some(seconds) => { "The gateway asks every " (seconds) " s. " }
                    None => "The gateway did not ask twice yet, so its real interval is not known. ",
                }
                @if known.is_none() { "Its config.toml is not known here: saving sends these settings only." }
            }
        }
    }
}

fn tokens(view: &View<'_>, gateway: &Gateway) -> Markup {
    let tokens: Vec<_> =
        view.state.machine_tokens.iter().filter(|token| token.gateway_id == gateway.id).collect();
    let last = tokens.iter().map(|token| token.expires_at).max();
    let standing = view.standing(gateway);
    html! {
        div.what {
            p {
                (state(gateways::tone(standing), &gateways::words(standing))) " · "
                @match (tokens.len(), last) {
                    (1, Some(at)) => { "1 token, ends " (date(view.now, at)) }
                    (count, Some(at)) => { (count) " tokens, the last ends " (date(view.now, at)) }
                    (_, None) => "no token",
                }
            }
            p.muted.small { "authorized " (date(view.now, gateway.created_at)) }
        }
        div.actions {
            @if !tokens.is_empty() { (revoke(gateway)) }
            (delete(gateway))
        }
    }
}

fn revoke(gateway: &Gateway) -> Markup {
    Danger {
        id: "gateway-revoke",
        path: format!("/dev/gateways/{}/revoke", gateway.id),
        label: "Revoke tokens",
        question: format!("Revoke all tokens of the gateway {}?", gateway.code),
        consequence: "It is refused until a user authorizes it again. It keeps serving what it has.",
        fields: &[],
        then: address(gateway, &[]),
    }
    .render()
}

fn delete(gateway: &Gateway) -> Markup {
    Danger {
        id: "gateway-delete",
        path: format!("/dev/gateways/{}/delete", gateway.id),
        label: "Delete gateway",
        question: format!("Delete the gateway {}?", gateway.code),
        consequence: "Its tokens, documents and changes are deleted here. The gateway itself keeps serving what it has.",
        fields: &[],
        then: "/".to_owned(),
    }
    .render()
}
