//! `harmony-host pause` and `harmony-host resume`: changes of the provider wait, until an operator lets them be applied.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::duration;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, text};
use crate::cli::times::Now;

/// The arguments of `pause`.
#[derive(Debug, Args)]
pub(super) struct PauseSync {
    #[command(flatten)]
    gateway: ManagementClient,

    /// The reason, which `status` shows
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The time after which the sync goes on by itself, such as 30m or 2h [default: until `resume`]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<Duration>,

    /// The name that `status` shows beside the address of this client [default: from SUDO_USER, else USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeSync {
    #[command(flatten)]
    gateway: ManagementClient,

    /// The name for the log [default: from SUDO_USER, else USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response. A pause waits for the end of what is being applied.
const DEADLINE: Duration = Duration::from_secs(30);

impl PauseSync {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let body = json!({
            "reason": self.reason,
            "by": self.by.or_else(operator),
            "for_secs": self.duration.map(|duration| duration.as_secs().max(1)),
        });
        let answer = self.gateway.post("sync/pause", &body, DEADLINE).await;
        finish(answer, self.json, Exit::Machine, |answer, screen| {
            screen.line(text(&answer["message"]));
            let until = &answer["paused"]["until"];
            match until.as_str() {
                Some(until) => screen.line(&format!("it goes on at {until}, or with `harmony-host resume`")),
                None => screen.line("it goes on with `harmony-host resume`"),
            }
        })
    }
}

impl ResumeSync {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let body = json!({ "by": self.by.or_else(operator) });
        let answer = self.gateway.post("sync/resume", &body, DEADLINE).await;
        finish(answer, self.json, Exit::Machine, |answer, screen| {
            screen.line(text(&answer["message"]));
            let ended = &answer["ended"];
            if !ended.is_null() {
                let (since, by) = (Now::of(answer).when(&ended["since"]), text(&ended["by"]));
                screen.line(&format!("it was paused {since} by {by}: {}", text(&ended["reason"])));
            }
        })
    }
}

/// Returns the name of the user who runs this command, as the environment has it.
fn operator() -> Option<String> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    named("SUDO_USER").or_else(|| named("USER"))
}

/// Prints the answer, as JSON or as the lines that `lines` adds. Returns the exit code, which is `unavailable` for the status
/// 503.
pub(super) fn finish(
    answer: Result<Answer, Failure>,
    is_json: bool,
    unavailable: Exit,
    lines: impl FnOnce(&Value, &mut Screen),
) -> Exit {
    let Answer { status, body, .. } = match answer {
        Ok(answer) => answer,
        Err(failure) => return failure.print(),
    };
    if !status.is_success() {
        let message = body["message"].as_str().unwrap_or("the gateway did not say why");
        let exit = match status.as_u16() {
            400 | 422 => Exit::Usage,
            503 => unavailable,
            _ => Exit::NoGateway,
        };
        return Failure::new(exit, message).print();
    }
    match is_json {
        true => out::json(&body),
        false => {
            let mut screen = Screen::default();
            lines(&body, &mut screen);
            out::print(&screen.finish());
        }
    }
    Exit::Done
}
