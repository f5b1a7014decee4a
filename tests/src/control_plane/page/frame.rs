//! The HTML document: what is around the content.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// Returns a document.
pub(super) fn page(title: &str, now: Timestamp, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" {}
            }
            body data-now=(now) {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    div {
                        span.name { a.home href="/" { "Control plane" } " " span.muted { "for development" } }
                        (theme())
                    }
                }
                (content)
                (ask())
            }
        }
    }
}

/// Returns the switch of the theme.
fn theme() -> Markup {
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
