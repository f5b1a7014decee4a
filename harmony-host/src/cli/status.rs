//! `harmony-host status`: the status of a running gateway.

mod configuration;
mod overlay;
mod provider;
mod troubles;

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, text};
use crate::cli::times::Now;

/// The arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    gateway: ManagementClient,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response.
const DEADLINE: Duration = Duration::from_secs(5);

impl Status {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let Answer { status, body: answer, .. } =
            match self.gateway.request(Method::GET, "provider", DEADLINE).await {
                Ok(answer) => answer,
                Err(failure) => return failure.print(),
            };
        if !status.is_success() || !answer["in_sync"].is_boolean() {
            let message = answer["message"].as_str();
            let message = message.unwrap_or("the answer does not tell if the gateway is in sync");
            return Failure::new(Exit::NoGateway, format!("{status}: {message}")).print();
        }
        match self.json {
            true => out::json(&answer),
            false => out::print(&screen(&answer)),
        }
        Exit::of_status(&answer)
    }
}

/// Returns the status as text that fits one screen: in sync or the reason why not, then the evidence.
fn screen(answer: &Value) -> String {
    let (mut screen, now) = (Screen::default(), Now::of(answer));
    screen.line(match (answer["in_sync"].as_bool(), answer["unknown"].as_bool()) {
        (Some(true), _) => "in sync",
        (_, Some(true)) => "NOT KNOWN to be in sync",
        _ => "NOT in sync",
    });
    if let Some(reason) = answer["reason"].as_str() {
        screen.row("because", &now.with_ages(reason));
    }
    paused(&answer["paused"], now, &mut screen);
    provider::rows(answer, now, &mut screen);
    configuration::rows(answer, now, &mut screen);
    overlay::rows(&answer["overlay"], now, &mut screen);
    troubles::rows(&answer["troubles"], now, &mut screen);
    screen.finish()
}

/// Adds the row about a pause of the sync.
fn paused(pause: &Value, now: Now, screen: &mut Screen) {
    if pause.is_null() {
        return;
    }
    let until = match pause["until"].is_null() {
        true => "until `harmony-host resume`".to_owned(),
        false => format!("until {}", now.when(&pause["until"])),
    };
    let (since, by, reason) = (now.when(&pause["since"]), text(&pause["by"]), text(&pause["reason"]));
    screen.row("PAUSED", &format!("since {since} by {by}, {until}: {reason}"));
}
