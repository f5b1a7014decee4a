//! The HTML document: what is around the sections.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use provider_api::DisplayDuration;

use crate::management::page::clean::clean;
use crate::management::page::parts::Tone;
use crate::management::page::view::View;
use crate::management::page::{attention, generations, numbers, pause, served, verdict};

/// The icon of a page without a state.
pub(super) const NEUTRAL_ICON: &str = "%23566070";

/// Returns a document.
pub(super) fn page(base: &str, title: &str, icon: &str, now: Option<Timestamp>, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href={
                    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
                    "<circle cx='8' cy='8' r='7' fill='" (icon) "'/></svg>"
                };
                link rel="stylesheet" href={ "/" (base) "/page.css" };
                script src={ "/" (base) "/page.js" } {}
            }
            body data-now=[now] { (body) }
        }
    }
}

/// Returns the switch of the theme.
pub(super) fn theme() -> Markup {
    html! {
        div.theme.needs-script {
            label for="theme" { "Theme" }
            select #theme {
                option value="" { "System" }
                option value="light" { "Light" }
                option value="dark" { "Dark" }
            }
        }
    }
}

/// Returns the dialog that asks before an action. The script fills it.
fn ask() -> Markup {
    html! {
        dialog #ask aria-labelledby="ask-question" aria-describedby="ask-consequence" {
            form method="dialog" {
                h2 #ask-question {}
                p #ask-consequence {}
                ul #ask-foreseen.small {}
                div.actions {
                    button value="" autofocus { "Cancel" }
                    button #ask-yes.danger value="yes" {}
                }
            }
        }
    }
}

/// Returns the status page.
pub(super) fn status_page(view: &View<'_>) -> Markup {
    let verdict = verdict::Verdict::of(view);
    let gateway = clean(&view.snapshot.config.proxy.id);
    let icon = match verdict.tone {
        Tone::Ok => "%23176c3a",
        Tone::Warn => "%238a5300",
        Tone::Bad => "%23b3261e",
        Tone::Neutral => NEUTRAL_ICON,
    };
    let title = format!("{} {} · {gateway}", verdict.tone.sign(), verdict.title);
    let body = html! {
        a.skip href="#main" { "Skip to the status" }
        header.bar {
            div {
                span.name { "Harmony gateway " span.muted { (gateway) } }
                nav aria-label="Sections" {
                    ul.actions {
                        @for (id, name) in [("attention", "Attention"), ("generations", "Generations"), ("served", "Served"), ("numbers", "Numbers")] {
                            li { a href={ "#" (id) } { (name) } }
                        }
                    }
                }
                (theme())
                button #forget type="button" hidden { "Forget the token" }
            }
        }
        main #main tabindex="-1" {
            div #said.unseen role="status" {}
            div #lost.note.bad.lost hidden {}
            div #outcome hidden {}
            (verdict.render(view))
            (pause::section(view))
            (attention::section(view))
            (generations::section(view))
            (served::section(view))
            (numbers::section(view))
        }
        footer.foot {
            span { "Version " (env!("CARGO_PKG_VERSION")) }
            span { "up for " (DisplayDuration(view.uptime)) }
            noscript { span { "Without script the page does not update itself: load it again." } }
        }
        (ask())
    };
    page(view.base, &title, icon, Some(view.now.time()), body)
}
