//! `harmony-host audit`: the audit log, shown and verified from its files. No gateway has to run.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use provider_api::Registry;
use serde_json::{Value, json};

use crate::audit::{self, Fault, Key, Place, Report};
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::out;
use crate::cli::screen::{Screen, counted, text};
use crate::cli::state_dir::StateDir;
use crate::cli::times::Now;
use crate::host::absolute;

/// The option `--audit-key-file`.
#[derive(Debug, Args)]
pub(super) struct AuditKey {
    /// The file of the key of the audit log, of at least 32 bytes [default: a key that is made in the state directory]
    ///
    /// Who can read the key can write records that verify. Keep it where only the gateway, and who verifies the log, can
    /// read it.
    #[arg(long, value_name = "PATH", env = "HARMONY_AUDIT_KEY_FILE")]
    audit_key_file: Option<PathBuf>,
}

impl AuditKey {
    /// Returns the file.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.audit_key_file.clone()
    }
}

/// The arguments of `audit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Audit {
    #[command(flatten)]
    place: Location,

    /// The number of records
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    last: usize,

    #[command(subcommand)]
    command: Option<AuditCommand>,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Find every edit, removal, insertion and move of records, and if some are missing at an end
    #[command(after_help = Exit::help(Some("audit")))]
    Verify(Location),
}

/// The options for the place of the log.
#[derive(Debug, Args)]
struct Location {
    #[command(flatten)]
    config: ConfigPath,

    #[command(flatten)]
    state: StateDir,

    #[command(flatten)]
    key: AuditKey,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Location {
    fn place(&self, registry: Registry) -> Place {
        let options = self.state.options(&self.config.config, registry);
        Place::new(&options.state_dir, &absolute(&options.config), self.key.file())
    }
}

impl Audit {
    /// Runs the command and returns the exit code.
    pub(super) fn run(self, registry: Registry) -> Exit {
        let shown = match &self.command {
            Some(AuditCommand::Verify(location)) => verify(location, registry),
            None => show(&self.place, registry, self.last),
        };
        shown.unwrap_or_else(|failure| failure.print())
    }
}

/// Returns the failure of a log that is not there.
fn missing(place: &Place) -> Failure {
    let directory = place.directory().display();
    Failure::new(Exit::NotFound, format!("there is no audit log in {directory}"))
        .help("give the --config and the --state-dir of the gateway; run this as its user")
}

fn show(location: &Location, registry: Registry, last: usize) -> Result<Exit, Failure> {
    let place = location.place(registry);
    let records = audit::read(place.directory(), last);
    let records = records.map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    if records.is_empty() {
        return Err(missing(&place));
    }
    match location.json {
        true => out::json(&json!(records)),
        false => out::print(&screen(&records)),
    }
    Ok(Exit::Done)
}

fn verify(location: &Location, registry: Registry) -> Result<Exit, Failure> {
    let place = location.place(registry);
    let is_begun = place.is_begun().map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    if !is_begun {
        return Err(missing(&place));
    }
    let key = Key::read(&place.key());
    let key = key.map_err(|error| {
        let failure =
            Failure::new(Exit::Tampered, format!("the key of the audit log cannot be read: {error}"));
        failure.help("without the key nothing can be verified; give the right one with --audit-key-file")
    })?;
    let report = audit::verify(place.directory(), &key);
    let report = report.map_err(|error| Failure::new(Exit::Machine, error.to_string()))?;
    match location.json {
        true => out::json(&json!({ "ok": report.faults.is_empty(), "report": report })),
        false => out::print(&verdict(&report)),
    }
    Ok(if report.faults.is_empty() { Exit::Done } else { Exit::Tampered })
}

/// Returns the result of a verification as text.
fn verdict(report: &Report) -> String {
    let mut screen = Screen::default();
    let range = match (report.first, report.last) {
        (Some(first), Some(last)) => format!(", number {first} to {last}"),
        _ => String::new(),
    };
    let records = format!("{}{range}", counted(report.records as usize, "record"));
    screen.line(&match report.faults.is_empty() {
        true => format!("intact: {records}"),
        false => format!("NOT as the gateway has written it; {records} verify"),
    });
    for Fault { file, line, message } in &report.faults {
        let line = if *line == 0 { String::new() } else { format!(":{line}") };
        screen.row("fault", &format!("{file}{line}: {message}"));
    }
    if report.behind_head > 0 {
        let behind = counted(report.behind_head as usize, "record");
        screen.row("newest", &format!("{behind} behind the head: just written, or the process ended there"));
    }
    if report.unfinished {
        screen.row("end", "an unfinished record, which the next start cuts off");
    }
    if let Some(mac) = &report.last_mac {
        screen.row("last hash", mac);
    }
    screen.finish()
}

/// Returns records as text, oldest first.
fn screen(records: &[Value]) -> String {
    let (mut screen, now) = (Screen::default(), Now::of(&Value::Null));
    for record in records {
        if !record["n"].is_u64() {
            screen.line("     ?  this line is no record; `harmony-host audit verify`");
            continue;
        }
        let verdict = record["verdict"].as_str().map_or_else(String::new, |verdict| format!(" {verdict}"));
        let by = serde_json::from_value::<audit::Actor>(record["by"].clone());
        let by = by.map_or_else(|_| String::new(), |by| format!(" by {by}"));
        let (number, at) = (record["n"].as_u64().unwrap_or_default(), now.when(&record["at"]));
        screen.line(&format!("{number:>6}  {}{verdict}{by}, {at}", text(&record["event"])));
        for (name, value) in record.as_object().into_iter().flatten() {
            if matches!(&**name, "n" | "at" | "event" | "verdict" | "by" | "mac") {
                continue;
            }
            match value {
                Value::Array(items) => items.iter().for_each(|item| {
                    screen.line(&format!("        {name}: {}", text(item)));
                }),
                Value::String(value) => screen.line(&format!("        {name}: {value}")),
                value => screen.line(&format!("        {name}: {value}")),
            }
        }
    }
    screen.finish()
}
