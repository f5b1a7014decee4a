//! `harmony-host sync`: the changes of the provider, fetched now.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::Screen;

/// The arguments of `sync`.
#[derive(Debug, Args)]
pub(super) struct Sync {
    #[command(flatten)]
    gateway: ManagementClient,

    /// Accept that it is not known which changes were acknowledged before the state of this machine was new, then sync
    ///
    /// First compare the gateway with its control plane. Afterwards `status` says "in sync" again.
    #[arg(long)]
    accept_fresh: bool,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response. Many changes may be pending, and the gateway fetches, applies and probes each.
const DEADLINE: Duration = Duration::from_secs(300);

impl Sync {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let path = if self.accept_fresh { "sync/accept-fresh" } else { "sync" };
        let Answer { status, body: answer, .. } =
            match self.gateway.request(Method::POST, path, DEADLINE).await {
                Ok(answer) => answer,
                Err(failure) => return failure.print(),
            };
        match self.json {
            true => out::json(&answer),
            false => out::print(&lines(&answer, self.accept_fresh)),
        }
        match status.is_success() {
            false => {
                out::error(answer["message"].as_str().unwrap_or("the gateway could not fetch changes"));
                if answer["error"] == "paused" { Exit::Paused } else { Exit::NoProvider }
            }
            true if has_fault(&answer) => Exit::NotInSync,
            true => Exit::of_status(&answer),
        }
    }
}

/// Returns whether the sync has left a change that is not live.
fn has_fault(answer: &Value) -> bool {
    let has = |list: &str| answer[list].as_array().is_some_and(|list| !list.is_empty());
    ["rejected", "held", "not_taken"].into_iter().any(has) || !answer["problem"].is_null()
}

/// Returns the changes and their verdicts as text.
fn lines(answer: &Value, accepts: bool) -> String {
    let (mut screen, mut is_empty) = (Screen::default(), true);
    // An answer with changes comes from a sync, which follows the acceptance.
    if accepts && answer["applied"].is_array() {
        screen.line("accepted: this gateway counts as in sync with what its control plane has");
    }
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    for (list, verdict) in [("applied", "applied"), ("rejected", "rejected"), ("held", "deferred")] {
        for change in answer[list].as_array().into_iter().flatten() {
            is_empty = false;
            let class = change["class"].as_str().map_or_else(String::new, |class| format!(" ({class})"));
            screen.line(&format!("{verdict:<9} {} {}{class}", text(&change["kind"]), text(&change["id"])));
            let problems = change["problems"].as_array().filter(|problems| !problems.is_empty());
            match problems {
                Some(problems) => {
                    problems.iter().for_each(|problem| screen.line(&format!("          {}", text(problem))));
                }
                None => change["summary"].as_str().into_iter().for_each(|summary| {
                    screen.line(&format!("          {summary}"));
                }),
            }
        }
    }
    for change in answer["not_taken"].as_array().into_iter().flatten() {
        is_empty = false;
        screen.line(&format!("not taken {} {}", text(&change["kind"]), text(&change["id"])));
        screen.line(&format!("          {}", text(&change["reason"])));
    }
    if let Some(problem) = answer["problem"].as_str() {
        is_empty = false;
        screen.line(&format!("problem   {problem}"));
    }
    if is_empty && answer["success"].as_bool() == Some(true) {
        screen.line("nothing is pending");
    }
    let is_quiet = answer["success"].as_bool() == Some(true) && !has_fault(answer);
    if let Some(reason) = answer["reason"].as_str().filter(|_| is_quiet) {
        let is_known = Exit::of_status(answer) != Exit::NotKnown;
        screen
            .line(&format!("{}: {reason}", if is_known { "NOT in sync" } else { "NOT KNOWN to be in sync" }));
    }
    screen.finish()
}
