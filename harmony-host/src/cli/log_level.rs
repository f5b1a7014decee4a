//! `harmony-host log-level`: the log levels of a running gateway.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use crate::cli::duration;
use crate::cli::exit::Exit;
use crate::cli::management_client::ManagementClient;
use crate::cli::pause::finish;
use crate::cli::screen::Screen;

/// The arguments of `log-level`.
#[derive(Debug, Args)]
pub(super) struct LogLevel {
    #[command(flatten)]
    gateway: ManagementClient,

    /// The levels to set: TARGET=LEVEL, or LEVEL for all targets without one of their own
    ///
    /// A target is a path such as harmony_host::sync or provider_api; a level is off, error, warn, info, debug or trace.
    /// Other targets keep their levels. Without any the present levels are shown.
    #[arg(value_name = "TARGET=LEVEL")]
    levels: Vec<String>,

    /// Return to the levels of the start; levels that are given too are set after that
    #[arg(long)]
    reset: bool,

    /// The time after which the levels of the start return, such as 10m
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse, requires = "levels")]
    duration: Option<Duration>,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response.
const DEADLINE: Duration = Duration::from_secs(5);

impl LogLevel {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let answer = match self.levels.is_empty() && !self.reset {
            true => self.gateway.request(Method::GET, "log", DEADLINE).await,
            false => {
                let for_secs = self.duration.map(|duration| duration.as_secs().max(1));
                let body = json!({ "set": self.levels, "reset": self.reset, "for_secs": for_secs });
                self.gateway.post("log", &body, DEADLINE).await
            }
        };
        finish(answer, self.json, Exit::Machine, show)
    }
}

/// Adds the levels, one a line, then those of the start.
fn show(answer: &Value, screen: &mut Screen) {
    let texts = |key: &str| answer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    texts("directives").for_each(|level| screen.line(level));
    if answer["directives"] != answer["at_start"] {
        let at_start: Vec<&str> = texts("at_start").collect();
        let until = answer["until"].as_str();
        let until = until.map_or_else(|| "at the start".to_owned(), |until| format!("from {until} on"));
        screen.line(&format!("({until}: {})", at_start.join(",")));
    }
}
