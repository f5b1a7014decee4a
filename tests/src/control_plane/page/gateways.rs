//! The list of gateways, each with its state as it is.

use maud::{Markup, html};

use super::parts::{Tone, address, age, state};
use super::view::View;
use crate::control_plane::gateway::Gateway;
use crate::control_plane::standing::Standing;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    html! {
        section #gateways.card aria-labelledby="gateways-title" data-live {
            header { h2 #gateways-title { "Gateways" } span.muted { (view.state.gateways.len()) } }
            @if view.state.gateways.is_empty() {
                div.empty {
                    p { "Authorize one, for example with:" }
                    p { code { "control-plane authorize --team radiology-dept --code my-gateway --url " (view.url) } }
                }
            } @else {
                table role="table" aria-labelledby="gateways-title" {
                    thead { tr {
                        th scope="col" { "Gateway" }
                        th scope="col" { "State" }
                        th scope="col" { "Last contact" }
                        th scope="col" { "Team" }
                    } }
                    tbody #gateway-rows { @for gateway in &view.state.gateways { (row(view, gateway)) } }
                }
            }
        }
    }
}

fn row(view: &View<'_>, gateway: &Gateway) -> Markup {
    let is_selected = view.gateway.is_some_and(|selected| selected.id == gateway.id);
    let standing = view.standing(gateway);
    html! {
        tr role="row" class=[is_selected.then_some("selected")] id={ "gateway-" (gateway.code) } {
            th scope="row" {
                a id={ "open-" (gateway.code) } href=(address(gateway, &[])) aria-current=[is_selected.then_some("true")] {
                    (gateway.name)
                }
                @if gateway.name != gateway.code { p.muted.small { (gateway.code) } }
            }
            td.sync role="cell" data-label="State" { (state(tone(standing), &words(standing))) }
            td role="cell" data-label="Contact" {
                @match gateway.last_contact {
                    Some(at) => { @if standing == Standing::Silent { "the last one " } (age(view.now, at)) }
                    None => span.muted { "never" },
                }
            }
            td role="cell" data-label="Team" { (view.state.team(&gateway.team_id).map_or("-", |team| team.name.as_str())) }
        }
    }
}

/// Returns how a state is to be taken.
pub(super) fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::NoToken | Standing::Silent | Standing::Failed => Tone::Bad,
        Standing::Waiting(_) => Tone::Warn,
        Standing::NeverCame | Standing::Local => Tone::Neutral,
        Standing::InSync => Tone::Ok,
    }
}

/// Returns a state in words.
pub(super) fn words(standing: Standing) -> String {
    match standing {
        Standing::NoToken => "has no valid token".to_owned(),
        Standing::NeverCame => "has a token, never came".to_owned(),
        Standing::Silent => "silent".to_owned(),
        Standing::Local => "provider local, does not ask".to_owned(),
        Standing::Waiting(1) => "1 change waiting".to_owned(),
        Standing::Waiting(count) => format!("{count} changes waiting"),
        Standing::Failed => "last change failed".to_owned(),
        Standing::InSync => "in sync".to_owned(),
    }
}

/// Returns the fault of a gateway, as the end of a sentence that begins with its name.
pub(super) fn fault(standing: Standing) -> String {
    match standing {
        Standing::Silent => "is silent: it has missed its polls".to_owned(),
        Standing::NoToken => "has no valid token: authorize it again".to_owned(),
        Standing::Failed => "rejected its last change".to_owned(),
        other => words(other),
    }
}
