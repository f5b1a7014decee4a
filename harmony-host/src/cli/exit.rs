//! The exit codes of all commands: one table, for the code, `--help` and the README.

use std::process::ExitCode;

use serde_json::Value;

/// The exit code of a command. Each number has one meaning, whichever command returns it, except that `plan` has those of tools
/// of its kind: 2 for differences, and 64 (EX_USAGE of sysexits) for a wrong command line. Scripts depend on the numbers: a number
/// never changes its meaning, and a new meaning gets a new number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    InvalidConfig = 1,
    Usage = 2,
    NotFound = 3,
    Denied = 4,
    NoGateway = 5,
    InFlight = 6,
    NotInSync = 7,
    NotKnown = 8,
    NoProvider = 9,
    Machine = 10,
    Paused = 11,
    NotReady = 12,
    Differences = 13,
    Refused = 14,
    Tampered = 15,
    PlanUsage = 64,
}

/// A row of the table.
struct Row {
    exit: Exit,
    name: &'static str,
    meaning: &'static str,
    /// The commands that return it, in groups; empty for all.
    commands: &'static [&'static [&'static str]],
}

impl Row {
    fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.commands.iter().flat_map(|group| group.iter().copied())
    }
}

/// Creates a row.
const fn row(
    exit: Exit,
    name: &'static str,
    commands: &'static [&'static [&'static str]],
    meaning: &'static str,
) -> Row {
    Row { exit, name, meaning, commands }
}

/// The commands that call a running gateway.
const CALLING: &[&str] = &[
    "status",
    "sync",
    "plan",
    "explain",
    "history",
    "diff",
    "rollback",
    "pause",
    "resume",
    "log-level",
    "health",
    "authorize",
];

/// Those of them that tell if the gateway is in sync.
const TELLING: &[&str] = &["status", "sync"];

/// The table.
const TABLE: [Row; 17] = [
    row(
        Exit::Done,
        "done",
        &[],
        "success; `status`, `sync`: the gateway is in sync; `plan`: there is no difference",
    ),
    row(
        Exit::InvalidConfig,
        "invalid configuration",
        &[&["run", "check", "resolve"], CALLING],
        "the configuration is invalid or cannot be served; commands that call a gateway: it does not name the management API; `plan`: it, or the change, would be rejected",
    ),
    row(Exit::Usage, "usage", &[], "the command line is invalid"),
    row(
        Exit::Differences,
        "differences",
        &[&["plan"]],
        "2 of `plan`: an apply would change the configuration that is served",
    ),
    row(
        Exit::NotFound,
        "not found",
        &[&["resolve", "plan", "explain", "diff", "audit"]],
        "the resource does not exist, or its provider is not active; `plan`: the provider does not have the change; `explain`: the configuration does not have it; `diff`: the generation is not recorded; `audit`: there is no audit log",
    ),
    row(
        Exit::Denied,
        "denied",
        &[&["resolve"], CALLING],
        "the gateway denies access to this client; `resolve`, `authorize`: the provider denies it",
    ),
    row(
        Exit::NoGateway,
        "no gateway",
        &[CALLING],
        "no gateway of this configuration answers: nothing, another program or another gateway does, or one that proves nothing",
    ),
    row(
        Exit::InFlight,
        "requests in flight",
        &[&["run"]],
        "the gateway stopped at the drain deadline with requests in flight",
    ),
    row(
        Exit::NotInSync,
        "not in sync",
        &[&["status", "sync", "plan"]],
        "the gateway is not in sync; `sync`: or a change was rejected or deferred; `plan`: the change would wait",
    ),
    row(Exit::NotKnown, "not known", &[TELLING], "the gateway answers, but cannot know if it is in sync"),
    row(
        Exit::NoProvider,
        "no provider",
        &[&["resolve", "sync", "plan", "pause", "log-level", "authorize"]],
        "the provider, such as a control plane, is unavailable; or the gateway has none, or no such ability",
    ),
    row(
        Exit::Machine,
        "machine",
        &[],
        "the operating system denies what the command needs, such as a thread",
    ),
    row(Exit::Paused, "paused", &[&["sync"]], "the sync is paused: changes are listed, and none was applied"),
    row(
        Exit::NotReady,
        "not ready",
        &[&["health"]],
        "the gateway answers, and is not ready: it starts, is about to stop or serves nothing",
    ),
    row(
        Exit::Refused,
        "refused",
        &[&["rollback"]],
        "the gateway did not try it, for the reasons that it names; or it was not confirmed",
    ),
    row(Exit::Tampered, "tampered", &[&["audit"]], "the audit log is not as the gateway has written it"),
    row(
        Exit::PlanUsage,
        "usage of plan",
        &[&["plan"]],
        "the command line is invalid; 2 means differences there",
    ),
];

impl Exit {
    /// Returns the exit code for the status in an answer of a gateway.
    pub(super) fn of_status(answer: &Value) -> Self {
        match (answer["in_sync"].as_bool(), answer["unknown"].as_bool()) {
            (Some(true), _) => Self::Done,
            (_, Some(true)) => Self::NotKnown,
            _ => Self::NotInSync,
        }
    }

    /// Returns the code of the process.
    const fn number(self) -> u8 {
        match self {
            Self::Differences => Self::Usage as u8,
            other => other as u8,
        }
    }

    /// Returns the exit code for a wrong command line, of `command` if one was named.
    pub(super) fn of_usage(command: Option<&str>) -> Self {
        if command == Some("plan") { Self::PlanUsage } else { Self::Usage }
    }

    /// Returns the rows of `command` as text for its help, or all rows.
    pub(super) fn help(command: Option<&str>) -> String {
        let is_shown = |row: &&Row| {
            let is_usage = |command| row.exit != Self::Usage || Self::of_usage(Some(command)) == Self::Usage;
            command.is_none_or(|command| {
                row.commands().any(|name| name == command) || row.commands.is_empty() && is_usage(command)
            })
        };
        let rows = TABLE.iter().filter(is_shown);
        let rows = rows.map(|row| format!("\n  {:<2}  {:<21}  {}", row.exit.number(), row.name, row.meaning));
        "Exit codes:".to_owned() + &rows.collect::<String>()
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE[at + 1..].iter().all(|other| other.exit != row.exit && other.name != row.name));
        }
    }

    /// The table of the README is this one.
    #[test]
    fn readme_has_the_exit_codes() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        let shown: Vec<&str> = readme
            .lines()
            .skip_while(|line| !line.starts_with("| exit code |"))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .collect();
        let line = |row: &Row| {
            let commands: Vec<String> = row.commands().map(|name| format!("`{name}`")).collect();
            let commands = if commands.is_empty() { "all".to_owned() } else { commands.join(", ") };
            format!("| {} | {} | {commands} | {} |", row.exit.number(), row.name, row.meaning)
        };
        assert_eq!(shown, TABLE.iter().map(line).collect::<Vec<_>>());
    }
}
