//! The log of the real binary, when nobody reads it: the gateway serves, reloads, syncs and stops as before.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, Read as _, pipe};
use std::process::Stdio;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, forward, on_ports};
use harmony_tests::{Gateway, RUNBEAM_CONFIG, Workdir, binary, client, eventually, free_port, get};
use serde_json::Value;
use tokio::process::Command;
use tokio::task::JoinSet;

/// The arguments for one line for each refused request: at the usual level there is one a second, which is left out.
const EACH_REFUSAL: [&str; 2] = [
    "--log",
    "info,harmony_host::proxy::serve=debug,harmony_host::proxy::refused=off,harmony_host::proxy::backend_failure=off",
];

/// The text of a pipe before its writer waits, and of the queue of the gateway.
const PIPE_AND_QUEUE: usize = 64 * 1024 + 1024 * 1024;

/// A gateway that follows a control plane, with its standard error on something that nobody reads.
struct Unread {
    cloud: ControlPlane,
    dir: Workdir,
    port: u16,
    admin: u16,
    gateway: Gateway,
}

impl Unread {
    /// Starts the gateway, and waits until it serves. `redirection` is one of the shell.
    async fn start(stderr: Stdio, redirection: &str, arguments: &[&str]) -> Self {
        let cloud = ControlPlane::start().await;
        let (port, admin) = (free_port(), free_port());
        let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
        let refusing = free_port();
        let long = "n".repeat(64);
        let away = forward(&long, "/away", &format!("http://127.0.0.1:{refusing}"));
        let dir = Workdir::with([
            ("config.toml", on_ports(&config, port, admin)),
            ("pipelines/local.toml", echo("local", "/local")),
            ("pipelines/away.toml", away + "max_retries = 0\n"),
        ]);
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}")).arg(binary());
        command.arg("run").arg("--config").arg(dir.config()).args(["--drain-secs", "1"]).args(arguments);
        let token = cloud.authorize("acme", "edge").to_string();
        let environment = [("RUNBEAM_MACHINE_TOKEN", token.as_str())];
        let gateway = Gateway::spawn_logging_to(stderr, command, &dir.config(), &environment);
        let unread = Self { cloud, dir, port, admin, gateway };
        unread.until("/local", 200).await;
        unread
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Waits until `path` is answered with `status`.
    async fn until(&self, path: &str, status: u16) {
        let url = self.url(path);
        eventually(&format!("{path} is answered {status}"), || async {
            match get(&url).await.map(|response| response.status().as_u16()) {
                Ok(found) if found == status => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Causes `count` lines: requests for a backend that is away, each with one at the level of [`EACH_REFUSAL`].
    async fn cause_lines(&self, count: usize) {
        const CLIENTS: usize = 8;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let url = self.url("/away");
            clients.spawn(async move {
                let client = client();
                for _ in 0..count / CLIENTS {
                    assert_eq!(client.get(&url).send().await.unwrap().status(), 502);
                }
            });
        }
        clients.join_all().await;
    }

    /// The gateway serves, reloads an edit, rejects another one, applies a change, and stops.
    async fn works_to_its_end(mut self) {
        self.until("/local", 200).await;
        self.dir.replace("pipelines/local.toml", &echo("local", "/edited"));
        self.until("/edited", 200).await;
        self.dir.replace("pipelines/wrong.toml", "[pipelines.wrong]\nnetworks = [\"nowhere\"]\n");
        eventually("rejected", || async {
            let status = Gateway::management(self.admin, "provider").await;
            if status["in_sync"] == false { Ok(()) } else { Err(status) }
        })
        .await;
        self.dir.remove("pipelines/wrong.toml");
        let change = self.cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
        assert_eq!(self.cloud.wait_until_settled(&change).await.status, Status::Applied);
        self.until("/fhir", 200).await;
        self.gateway.signal("HUP").await;
        self.until("/edited", 200).await;
        self.gateway.signal("TERM").await;
        eventually("the gateway has stopped", || {
            let running = self.gateway.is_running();
            async move { if running { Err("it runs") } else { Ok(()) } }
        })
        .await;
        assert_eq!(self.gateway.exit_code().await, 0);
    }
}

/// A pipe and its reader.
fn read_end() -> (PipeReader, Stdio) {
    let (reader, writer) = pipe().unwrap();
    (reader, writer.into())
}

/// Each descriptor is one that other tools leave behind: closed, without a reader, full, or for reading only.
#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() {
    type Open = fn() -> Stdio;
    let kinds: [(Open, &str); 5] = [
        (Stdio::null, "2>&-"),
        (Stdio::null, "0<&- 1>&- 2>&-"),
        (|| OpenOptions::new().write(true).open("/dev/full").unwrap().into(), ""),
        (|| File::open("/dev/null").unwrap().into(), ""),
        (|| read_end().1, ""),
    ];
    for (stderr, redirection) in kinds {
        for format in ["human", "json"] {
            let arguments = ["--log-format", format, "--log", "debug"];
            let unread = Unread::start(stderr(), redirection, &arguments).await;
            unread.cause_lines(80).await;
            unread.works_to_its_end().await;
        }
    }
}

/// The reader of the log ends while the gateway serves, as a log collector that is restarted.
#[tokio::test]
async fn a_reader_that_goes_away_stops_nothing() {
    let (reader, stderr) = read_end();
    let unread = Unread::start(stderr, "", &EACH_REFUSAL).await;
    drop(reader);
    unread.cause_lines(80).await;
    unread.works_to_its_end().await;
}

/// A pipe that stays open and is not read: thousands of lines, then everything as before.
#[tokio::test]
async fn a_pipe_that_nobody_reads_stops_nothing() {
    let (_reader, stderr) = read_end();
    let unread = Unread::start(stderr, "", &[&EACH_REFUSAL[..], &["--log-format", "json"]].concat()).await;
    unread.cause_lines(3_600).await;
    unread.works_to_its_end().await;
}

/// A reader that falls behind gets whole lines, and the number of those that are missing.
#[tokio::test]
async fn lines_that_a_slow_reader_missed_are_counted() {
    // Each number of lines has more text than fits.
    for (format, warnings) in [("human", 9_600), ("json", 5_600)] {
        let (mut reader, stderr) = read_end();
        let unread =
            Unread::start(stderr, "", &[&EACH_REFUSAL[..], &["--log-format", format]].concat()).await;
        unread.cause_lines(warnings).await;
        let reading = tokio::task::spawn_blocking(move || {
            let mut log = String::new();
            reader.read_to_string(&mut log).unwrap();
            log
        });
        unread.works_to_its_end().await;
        let log = reading.await.unwrap();
        let (before, after) = log.split_once("dropped ").expect(&log);
        assert!(before.len() > PIPE_AND_QUEUE / 2, "{}", before.len());
        assert!(after.contains(" log lines: standard error was not read"), "{after}");
        assert!(after.contains("stopping; waiting for requests in flight"), "{after}");
        assert_eq!(after.lines().last(), log.lines().last());
        let shown = log.matches("request rejected").count();
        let dropped: usize = log
            .lines()
            .filter_map(|line| line.split_once("dropped ")?.1.split_once(" log line"))
            .map(|(count, _)| count.parse::<usize>().unwrap())
            .sum();
        // Beside these some lines of the start, the edits and the sync.
        assert!((warnings..warnings + 100).contains(&(shown + dropped)), "{shown} shown, {dropped} dropped");
        if format == "json" {
            for line in log.lines() {
                serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            }
        }
    }
}

/// The reasons of a refused start are written before the process ends, and no log keeps the process from ending.
#[tokio::test]
async fn a_refused_start_ends_with_its_reasons() {
    let wrong = || Workdir::with([("config.toml", "[network.public]\nnonsense = 1\n".to_owned())]);
    for format in ["human", "json"] {
        let dir = wrong();
        let mut gateway = Gateway::spawn(&dir.config(), &["--log-format", format]);
        assert_eq!(gateway.exit_code().await, 1);
        assert!(gateway.log().contains("the configuration was rejected"), "{}", gateway.log());
        for redirection in ["2>&-", "2>/dev/full"] {
            let dir = wrong();
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}")).arg(binary());
            command.arg("run").arg("--config").arg(dir.config()).args(["--log-format", format]);
            let mut gateway = Gateway::spawn_command(command, &dir.config(), &[]);
            assert_eq!(gateway.exit_code().await, 1);
        }
    }
}

/// A command whose output is not wanted ends as with a reader: with its own exit code, and without a panic.
#[tokio::test]
async fn commands_without_a_reader_have_their_exit_code() {
    let dir = Workdir::with([("config.toml", on_ports(harmony_tests::site::BASE, free_port(), free_port()))]);
    let config = dir.config().display().to_string();
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["--version"], 0),
        (vec!["run", "--help"], 0),
        (vec!["nonsense"], 2),
        (vec!["schema"], 0),
        (vec!["check", "--config", &config], 0),
        (vec!["check", "--json", "--config", &config], 0),
        (vec!["resolve", "local.name.nothing", "--config", &config], 3),
        (vec!["status", "--config", &config], 5),
        (vec!["sync", "--config", &config], 5),
    ] {
        for redirection in ["1>&-", "1>&- 2>&-", "", "2>&1"] {
            let mut command = Command::new("sh");
            command.arg("-c").arg(format!("exec \"$0\" \"$@\" {redirection}")).arg(binary()).args(&arguments);
            // The reader of standard output is gone before the command starts.
            command.stdin(Stdio::null()).stdout(read_end().1).stderr(Stdio::piped());
            let output = command.env("HOME", dir.path()).kill_on_drop(true).output().await.unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{arguments:?} {redirection}: {error}");
            assert!(!error.contains("panicked"), "{arguments:?} {redirection}: {error}");
        }
    }
}
