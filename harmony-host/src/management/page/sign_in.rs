//! The page that asks for the token of the management API.

use maud::{Markup, html};

use crate::management::page::document;

/// Returns the page. It shows nothing of the gateway.
pub(super) fn page(base: &str) -> Markup {
    let body = html! {
        header.bar { div { span.name { "Harmony gateway" } (document::theme()) } }
        main #main tabindex="-1" {
            section.card.signin aria-labelledby="signin-title" {
                header { h1 #signin-title { "Token of the management API" } }
                noscript { p.empty { "This page needs script to send the token." } }
                form #signin.needs-script {
                    p { "This gateway is managed from its own machine without a token, and from elsewhere with one." }
                    div.field {
                        label for="token" { "Token: " code { "token" } " of " code { "[management]" } " in config.toml" }
                        input #token type="password" autocomplete="current-password" required
                            aria-describedby="token-error";
                        p #token-error.error role="alert" {}
                    }
                    p.muted.small { "It is kept until this tab is closed." }
                    div.actions { button.primary { "Show the status" } }
                }
            }
        }
    };
    document::page(base, "Harmony gateway", document::NEUTRAL_ICON, None, body)
}
