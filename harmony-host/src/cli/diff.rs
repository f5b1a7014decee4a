//! `harmony-host diff`: the differences of two generations.

use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::history::{DEADLINE, no_answer};
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, counted, text};

/// The arguments of `diff`.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The number of a generation, as `history` lists it
    from: u64,

    /// The number of the other one; the one that is served by default
    to: Option<u64>,

    #[command(flatten)]
    gateway: ManagementClient,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let to = self.to.map_or_else(String::new, |to| format!("&to={to}"));
        let path = format!("history/diff?from={}{to}", self.from);
        let Answer { status, body: answer, .. } =
            match self.gateway.request(Method::GET, &path, DEADLINE).await {
                Ok(answer) => answer,
                Err(failure) => return failure.print(),
            };
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) && answer["error"] == "not_recorded" {
            let help = "`harmony-host history` lists the generations that are recorded";
            return Failure::new(Exit::NotFound, text(&answer["message"])).help(help).print();
        }
        if !status.is_success() || !answer["files"].is_array() {
            return no_answer(&answer, status.as_u16());
        }
        match self.json {
            true => out::json(&answer),
            false => out::print(&screen(&answer)),
        }
        Exit::Done
    }
}

/// Returns the differences as text: in words, then line by line.
fn screen(answer: &Value) -> String {
    let mut screen = Screen::default();
    let files = answer["files"].as_array().map_or(&[][..], Vec::as_slice);
    screen.line(&format!("from generation {} to generation {}", answer["from"], answer["to"]));
    match answer["changed"].as_array() {
        Some(changed) if changed.is_empty() && files.is_empty() => screen.line("  no difference"),
        Some(changed) if changed.is_empty() => screen.line("  the configuration means the same"),
        Some(changed) => changed.iter().for_each(|one| screen.line(&format!("  {}", text(one)))),
        None => {
            screen.line("  one of the configurations is not valid any more, so only its files are compared")
        }
    }
    for file in files {
        screen.line("");
        screen.line(&format!("{} file {}", text(&file["change"]), text(&file["name"])));
        if let Some(note) = file["note"].as_str() {
            screen.line(&format!("  {note}"));
        }
        if let Some(diff) = file["diff"].as_str() {
            diff.lines().for_each(|line| screen.line(line));
        }
    }
    if let Some(left_out) = answer["left_out"].as_u64().filter(|n| *n > 0) {
        screen.line(&format!("and {}", counted(left_out as usize, "more file")));
    }
    screen.finish()
}
