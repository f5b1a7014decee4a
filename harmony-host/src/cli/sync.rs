//! `harmony-host sync`.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::ask::{Gateway, UNREACHABLE};
use crate::cli::out;

#[derive(Debug, Args)]
pub(super) struct Sync {
    #[command(flatten)]
    gateway: Gateway,

    /// Print the gateway's own JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Many changes may be pending, and each is fetched, applied and probed.
const LIMIT: Duration = Duration::from_secs(300);

impl Sync {
    pub(super) async fn run(self) -> u8 {
        let (status, answer) = match self.gateway.ask(Method::POST, "sync", LIMIT).await {
            Ok(answer) => answer,
            Err(code) => return code,
        };
        out::print(&if self.json { format!("{answer:#}\n") } else { lines(&answer) });
        let none = |list: &str| answer[list].as_array().is_none_or(Vec::is_empty);
        match status.is_success() {
            false => {
                out::error(answer["message"].as_str().unwrap_or("the provider could not be asked"));
                UNREACHABLE
            }
            true => u8::from(!(none("rejected") && none("held"))),
        }
    }
}

fn lines(answer: &Value) -> String {
    let mut lines = String::new();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    for list in ["applied", "rejected", "held"] {
        for change in answer[list].as_array().into_iter().flatten() {
            let class = change["class"].as_str().map_or_else(String::new, |class| format!(" ({class})"));
            lines.push_str(&format!("{list:<9} {} {}{class}\n", text(&change["kind"]), text(&change["id"])));
            let problems = change["problems"].as_array().filter(|problems| !problems.is_empty());
            match problems {
                Some(problems) => {
                    problems
                        .iter()
                        .for_each(|problem| lines.push_str(&format!("          {}\n", text(problem))));
                }
                None => change["summary"].as_str().into_iter().for_each(|summary| {
                    lines.push_str(&format!("          {summary}\n"));
                }),
            }
        }
    }
    if lines.is_empty() && answer["success"].as_bool() == Some(true) {
        lines.push_str("nothing is pending\n");
    }
    lines
}
