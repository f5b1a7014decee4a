//! `harmony-host rollback`: an earlier generation, restored.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use http::StatusCode;
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::history::no_answer;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, text};

/// The arguments of `rollback`.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The number of the generation, as `history` lists it
    generation: u64,

    #[command(flatten)]
    gateway: ManagementClient,

    /// Do it without a question
    #[arg(long, short)]
    yes: bool,

    /// Replace edits that are not live, such as a rejected one; a copy of each is saved
    #[arg(long)]
    force: bool,

    /// Show what would happen, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response. The activation has deadlines of its own.
const DEADLINE: Duration = Duration::from_secs(120);

impl Rollback {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        if self.yes || self.dry_run {
            return self
                .ask_gateway(self.dry_run)
                .await
                .map_or_else(|exit| exit, |answer| self.show(&answer));
        }
        let is_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !is_terminal || self.json {
            let failure =
                Failure::new(Exit::Usage, "a rollback needs a confirmation, and there is no terminal");
            return failure.help("give --yes, or --dry-run to see what would happen").print();
        }
        let planned = match self.ask_gateway(true).await {
            Ok(planned) => planned,
            Err(exit) => return exit,
        };
        let exit = self.show(&planned);
        if planned["verdict"] != "planned" {
            return exit;
        }
        if !confirmed(self.generation).await {
            return Failure::new(Exit::Refused, "nothing was changed").print();
        }
        self.ask_gateway(false).await.map_or_else(|exit| exit, |answer| self.show(&answer))
    }

    async fn ask_gateway(&self, dry_run: bool) -> Result<Value, Exit> {
        let body = json!({ "generation": self.generation, "force": self.force, "dry_run": dry_run });
        let answer = self.gateway.post("rollback", &body, DEADLINE).await;
        let Answer { status, body: answer, .. } = answer.map_err(|failure| failure.print())?;
        let is_report =
            matches!(status, StatusCode::OK | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY);
        match is_report && answer["verdict"].is_string() {
            true => Ok(answer),
            false => Err(no_answer(&answer, status.as_u16())),
        }
    }

    fn show(&self, answer: &Value) -> Exit {
        match self.json {
            true => out::json(answer),
            false => out::print(&screen(answer)),
        }
        match text(&answer["verdict"]) {
            "refused" => {
                out::error(text(&answer["message"]));
                Exit::Refused
            }
            "rejected" => {
                out::error(text(&answer["message"]));
                Exit::InvalidConfig
            }
            _ => Exit::Done,
        }
    }
}

/// Asks the operator. Anything but yes is no.
async fn confirmed(generation: u64) -> bool {
    out::eprint(&format!("roll back to generation {generation}? [y/N] "));
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = read.await.ok().and_then(Result::ok).unwrap_or_default();
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Returns a report as text.
fn screen(answer: &Value) -> String {
    let mut screen = Screen::default();
    let verdict = text(&answer["verdict"]);
    if matches!(verdict, "applied" | "unchanged" | "planned") {
        screen.line(text(&answer["message"]));
    }
    let rows = [
        ("changed", "changed"),
        ("written", "writes"),
        ("removed", "removes"),
        ("lost", "replaces"),
        ("copies", "copy"),
        ("kept", "keeps"),
        ("control_plane", "cloud"),
    ];
    for (list, name) in rows {
        for item in answer[list].as_array().into_iter().flatten() {
            screen.row(name, text(item));
        }
    }
    for problem in answer["problems"].as_array().into_iter().flatten() {
        let place = match (problem["file"].as_str(), problem["line"].as_u64()) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        screen.row("problem", &format!("{place}{}: {}", text(&problem["key"]), text(&problem["message"])));
    }
    screen.finish()
}
