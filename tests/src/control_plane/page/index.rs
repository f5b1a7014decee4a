//! The content of the page: one sentence, the gateways, the selected one with its documents, the changes.

use maud::{Markup, html};

use super::parts::Tone;
use super::view::View;
use super::{document_list, editor, frame, gateways, settings, timeline};
use crate::control_plane::standing::Standing;

/// Returns the page.
pub(super) fn page(view: &View<'_>) -> Markup {
    let (tone, sentence) = sentence(view);
    let content = html! {
        main #main tabindex="-1" {
            div #said.unseen role="status" {}
            div #lost.note.bad.lost hidden {}
            div #outcome hidden {}
            div #sentence data-live data-say=(sentence) {
                div class={ "card verdict " (tone.class()) } {
                    div.sentence {
                        span.sign aria-hidden="true" { (tone.sign()) }
                        h1 { (sentence) }
                    }
                }
            }
            (gateways::section(view))
            @if let Some(code) = &view.missing {
                p.note.bad { "There is no gateway " code { (code) } ". " a href="/" { "Show all gateways" } }
            }
            @if let Some(gateway) = view.gateway {
                (settings::section(view, gateway))
                (document_list::section(view, gateway))
                (editor::section(view, gateway))
            }
            (timeline::section(view))
        }
        footer.foot {
            span { "In the config.toml of a gateway, below " code { "[provider.runbeam]" } ": " code { "api = \"" (view.url) "\"" } }
            noscript { span { "Without script the page shows the state and changes nothing." } }
        }
    };
    let title = match view.gateway {
        Some(gateway) => format!("{} {} - control plane", tone.sign(), gateway.code),
        None => format!("{} Control plane", tone.sign()),
    };
    frame::page(&title, view.now, &content)
}

/// Returns whether all is well, in one sentence.
fn sentence(view: &View<'_>) -> (Tone, String) {
    let all: Vec<_> =
        view.state.gateways.iter().map(|gateway| (&gateway.code, view.standing(gateway))).collect();
    let is_fine = |standing: Standing| matches!(standing, Standing::InSync | Standing::Local);
    let fine = all.iter().filter(|(_, standing)| is_fine(*standing)).count();
    let bad: Vec<_> = all.iter().filter(|(_, standing)| gateways::tone(*standing) == Tone::Bad).collect();
    match (&all[..], &bad[..]) {
        ([], _) => (Tone::Neutral, "No gateway is authorized yet".to_owned()),
        ([(only, standing)], []) if is_fine(*standing) => (Tone::Ok, format!("{only} is in sync")),
        ([(only, standing)], []) => {
            (gateways::tone(*standing), format!("{only}: {}", gateways::words(*standing)))
        }
        (all, []) if fine == all.len() => (Tone::Ok, format!("All {fine} gateways are in sync")),
        (all, []) => (Tone::Warn, format!("{fine} of {} gateways are in sync", all.len())),
        (_, [(only, standing)]) => (Tone::Bad, format!("{only} {}", gateways::fault(*standing))),
        (all, bad) => (Tone::Bad, format!("{} of {} gateways need a person", bad.len(), all.len())),
    }
}
