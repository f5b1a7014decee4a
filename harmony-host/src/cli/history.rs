//! `harmony-host history`: the generations of a running gateway.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, counted, text};
use crate::cli::times::Now;

/// The number of differences that are shown of each entry.
const SHOWN: usize = 6;

/// The arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct History {
    #[command(flatten)]
    gateway: ManagementClient,

    /// The number of entries
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,

    /// Show the entries before the one with this id, which the last line of a page names
    #[arg(long, value_name = "ID")]
    before: Option<u64>,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

impl History {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let before = self.before.map_or_else(String::new, |id| format!("&before={id}"));
        let path = format!("history?limit={}{before}", self.limit);
        let Answer { status, body: answer, .. } =
            match self.gateway.request(Method::GET, &path, DEADLINE).await {
                Ok(answer) => answer,
                Err(failure) => return failure.print(),
            };
        if !status.is_success() || !answer["entries"].is_array() {
            return no_answer(&answer, status.as_u16());
        }
        match self.json {
            true => out::json(&answer),
            false => out::print(&screen(&answer)),
        }
        Exit::Done
    }
}

/// Fails for an answer that is none to the question: an earlier version of the gateway does not know it.
pub(super) fn no_answer(answer: &Value, status: u16) -> Exit {
    let message = answer["message"].as_str().unwrap_or("the gateway has no answer");
    Failure::new(Exit::NoGateway, format!("{status}: {message}")).print()
}

/// Returns the entries as text, newest first.
fn screen(answer: &Value) -> String {
    let (mut screen, now) = (Screen::default(), Now::of(answer));
    for entry in answer["entries"].as_array().into_iter().flatten() {
        let (at, cause) = (now.when(&entry["at"]), text(&entry["cause_text"]));
        match entry["generation"].as_u64() {
            Some(generation) => {
                let served = if answer["served"].as_u64() == Some(generation) { ", served" } else { "" };
                screen.line(&format!("{generation:>6}  applied{served}, {at}, {cause}"));
            }
            None => {
                let (class, serves) = (text(&entry["class"]), &entry["serves"]);
                screen.line(&format!("     -  REJECTED ({class}), {at}, {cause}; {serves} stayed"));
                let more = match entry["problems"].as_u64() {
                    None | Some(0 | 1) => String::new(),
                    Some(n) => format!(" (and {} more)", n - 1),
                };
                screen.line(&format!("        {}{more}", text(&entry["problem"])));
            }
        }
        let changed: Vec<&str> =
            entry["changed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        changed.iter().take(SHOWN).for_each(|change| screen.line(&format!("        {change}")));
        if changed.len() > SHOWN {
            let more = counted(changed.len() - SHOWN, "more difference");
            screen.line(&format!("        and {more}; `harmony-host diff` shows all"));
        }
    }
    match answer["next"].as_u64() {
        Some(next) => screen.line(&format!("older entries: harmony-host history --before {next}")),
        None => screen.line("that is all that is recorded"),
    }
    if let Some(failure) = answer["failure"].as_str() {
        screen.line(&format!("the newest entries are not on the disk: {failure}"));
    }
    screen.finish()
}
