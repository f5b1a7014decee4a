//! `harmony-host status`: the status of a running gateway.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::Value;

use crate::cli::check::counted;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;

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
        let Answer { status, body: answer } =
            match self.gateway.request(Method::GET, "provider", DEADLINE).await {
                Ok(answer) => answer,
                Err(failure) => return failure.print(),
            };
        let Some(in_sync) = answer["in_sync"].as_bool().filter(|_| status.is_success()) else {
            let message =
                answer["message"].as_str().unwrap_or("the answer does not tell if the gateway is in sync");
            return Failure::new(Exit::NoGateway, format!("{status}: {message}")).print();
        };
        out::print(&if self.json { format!("{answer:#}\n") } else { screen(&answer) });
        match (in_sync, answer["unknown"].as_bool()) {
            (true, _) => Exit::Done,
            (false, Some(true)) => Exit::NotKnown,
            (false, _) => Exit::NotInSync,
        }
    }
}

/// Returns the status as text that fits one screen: in sync or the reason why not, then the details.
fn screen(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let short = |value: &Value| {
        value.as_str().map_or_else(|| "-".to_owned(), |digest| digest.chars().take(12).collect())
    };
    let provider = &answer["provider"];
    let abilities: Vec<&str> =
        provider["abilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let verdict = match (answer["in_sync"].as_bool(), answer["unknown"].as_bool()) {
        (Some(true), _) => "in sync",
        (_, Some(true)) => "NOT KNOWN to be in sync",
        _ => "NOT in sync",
    };
    let mut screen = format!("{verdict}\n");
    if let Some(reason) = answer["reason"].as_str() {
        screen.push_str(&format!("  because    {reason}\n"));
    }
    if let Some(note) = answer["note"].as_str() {
        screen.push_str(&format!("  known      {note}\n"));
    }
    let (effective, attempted, desired) = (&answer["effective"], &answer["attempted"], &answer["desired"]);
    let rows = [
        (
            "provider",
            format!(
                "{} (type {}; polling {})",
                text(&provider["name"]),
                text(&provider["type"]),
                text(&provider["polling"])
            ),
        ),
        ("abilities", abilities.join(", ")),
        (
            "served",
            format!(
                "generation {} of {} since {}",
                effective["generation"],
                short(&effective["digest"]),
                text(&effective["since"])
            ),
        ),
        (
            "attempted",
            format!(
                "{} {} at {}",
                short(&attempted["digest"]),
                text(&attempted["verdict"]),
                text(&attempted["at"])
            ),
        ),
        ("files", format!("{} read at {}", short(&desired["digest"]), text(&desired["read_at"]))),
    ];
    for (name, value) in rows {
        screen.push_str(&format!("  {name:<10} {value}\n"));
    }
    let last_good = &answer["last_good"];
    let last_good = match (last_good["at"].as_str(), last_good["failure"].as_str()) {
        (at, Some(failure)) => {
            format!("{} (NOT the served configuration: {failure})", at.unwrap_or("nothing"))
        }
        (at, None) => at.unwrap_or("not yet").to_owned(),
    };
    screen.push_str(&format!("  {:<10} {last_good}\n", "last good"));
    sync_rows(&answer["sync"], &mut screen);
    for certificate in answer["certificates"].as_array().into_iter().flatten() {
        let state = text(&certificate["state"]);
        if state != "valid" {
            let (file, end) = (text(&certificate["file"]), text(&certificate["ends_at"]));
            screen.push_str(&format!("  {:<10} {file} {state}: {end}\n", "cert"));
        }
    }
    for (title, problems) in [("problem", &attempted["problems"]), ("warning", &effective["warnings"])] {
        for problem in problems.as_array().into_iter().flatten() {
            let place = match (problem["file"].as_str(), problem["line"].as_u64()) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                _ => String::new(),
            };
            screen.push_str(&format!(
                "  {title:<10} {place}{}: {}\n",
                text(&problem["key"]),
                text(&problem["message"])
            ));
        }
    }
    screen
}

/// Appends the rows about the authorization, the last contact and the pending changes.
fn sync_rows(sync: &Value, screen: &mut String) {
    if sync.is_null() {
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut row = |name: &str, value: String| screen.push_str(&format!("  {name:<10} {value}\n"));
    let mut authorized = text(&sync["authorization"]);
    if let Some(until) = sync["authorized_until"].as_str() {
        authorized.push_str(&format!(" until {until}"));
        if expires_soon(until) {
            authorized.push_str(" (EXPIRES SOON: authorize the gateway again)");
        }
    }
    row("authorized", authorized);
    if let Some(source) = sync["credential_source"].as_str() {
        row("credential", source.to_owned());
    }
    if let Some(problem) = sync["credential_problem"].as_str() {
        row("problem", problem.to_owned());
    }
    row("contact", format!("{}; next poll {}", text(&sync["heard_at"]), text(&sync["due_at"])));
    let count = |key: &str, noun| counted(sync[key].as_u64().unwrap_or_default() as usize, noun);
    let (changes, verdicts) = (count("unsettled", "change"), count("undelivered", "verdict"));
    row("pending", format!("{changes}, {verdicts} to report"));
    let change = &sync["last_change"];
    if !change.is_null() {
        let class = change["class"].as_str().map_or_else(String::new, |class| format!(" ({class})"));
        let summary = change["summary"].as_str().map_or_else(String::new, |text| format!(": {text}"));
        let (kind, id, verdict) = (text(&change["kind"]), text(&change["id"]), text(&change["verdict"]));
        row("change", format!("{kind} {id} {verdict}{class}{summary}"));
    }
}

/// Returns whether an authorization expires within 7 days.
fn expires_soon(until: &str) -> bool {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(7 * 24);
    until.parse::<jiff::Timestamp>().is_ok_and(|until| until < soon)
}
