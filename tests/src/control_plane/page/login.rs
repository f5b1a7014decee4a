//! The page on which a user approves a login of the command line.

use jiff::Timestamp;
use maud::{Markup, html};

use super::frame;
use crate::control_plane::state::State;

/// Returns the page.
pub(super) fn page(state: &State, device_token: &str) -> Markup {
    let team = |id: &str| state.team(id).map_or("no team", |team| team.name.as_str());
    let content = html! {
        main #main tabindex="-1" {
            div #said.unseen role="status" {}
            div #outcome hidden {}
            section.card aria-labelledby="login-title" {
                header { h1 #login-title { "Log in the command line" } }
                form #login-form.row.fields method="post" action="/dev/login" data-act {
                    p.whole { "The command line on this machine requests access as a user." }
                    input type="hidden" name="device_token" value=(device_token);
                    div.field {
                        label for="login-user" { "User" }
                        select #login-user name="user_id" {
                            @for user in &state.users {
                                option value=(user.id) { (user.name) " (" (team(&user.team_id)) ")" }
                            }
                        }
                    }
                    button #login-approve.primary.needs-script { "Approve" }
                    noscript { p { "Approving needs script." } }
                }
            }
        }
    };
    frame::page("Log in - control plane", Timestamp::now(), &content)
}
