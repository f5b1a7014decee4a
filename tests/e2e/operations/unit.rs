//! The unit of systemd: its command line is run as the unit would run it.

use std::os::unix::fs::PermissionsExt as _;

use harmony_tests::{Gateway, Mount, Workdir, binary, free_port, get};
use tokio::process::Command;

use super::service_manager::Manager;
use super::{TOKEN, deployed, file, option, run, seconds};

const UNIT: &str = "deploy/systemd/harmony-host.service";

/// The program that the unit runs.
const PROGRAM: &str = "/usr/local/bin/harmony-host";

/// The settings of the unit, in order.
fn settings() -> Vec<(String, String)> {
    let text = file(UNIT);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    lines
        .map(|line| {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

fn setting(key: &str) -> String {
    let mut all = settings().into_iter().filter(|(known, _)| known == key);
    let (_, value) = all.next().unwrap_or_else(|| panic!("the unit has no {key}"));
    assert!(all.next().is_none(), "{key} is set twice");
    value
}

/// Returns the words of a command line. Ours have no quotes.
fn words(command: &str) -> Vec<String> {
    assert!(!command.contains(['"', '\'', '\\', '%']), "{command}");
    command.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn unit_is_run_as_it_is_written() {
    let (manager, state) = (Manager::new(), Workdir::new());
    let (port, admin) = (free_port(), free_port());
    let dir = deployed(port, admin);
    let mut command = words(&setting("ExecStart"));
    assert_eq!(command.remove(0), PROGRAM);
    let etc = dir.path().display().to_string();
    let arguments: Vec<String> = command.iter().map(|word| word.replace("/etc/harmony", &etc)).collect();
    // ProtectSystem=strict: the configuration is read-only.
    assert_eq!(setting("ProtectSystem"), "strict");
    let read_only = Mount::ReadOnly.command(&binary(), dir.path());
    let mut process = read_only.unwrap_or_else(|| Command::new(binary()));
    process.args(&arguments);
    let (notify, directory) = (manager.path.display().to_string(), state.path().join("harmony"));
    let directory = directory.display().to_string();
    let watchdog = (seconds(&setting("WatchdogSec")) * 1_000_000).to_string();
    let environment = [
        ("NOTIFY_SOCKET", &*notify),
        ("WATCHDOG_USEC", &*watchdog),
        ("STATE_DIRECTORY", &*directory),
        ("HARMONY_MANAGEMENT_TOKEN", TOKEN),
    ];
    let mut gateway = Gateway::spawn_command(process, &dir.config(), &environment);
    gateway.wait_until_ready().await;
    assert_eq!(manager.next().await, "READY=1\n");
    assert_eq!(get(format!("http://127.0.0.1:{port}/hello")).await.unwrap().status(), 200);
    let mode = std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777;
    assert_eq!(format!("{mode:04o}"), setting("StateDirectoryMode"));
    // An operator finds the gateway by the same configuration and state.
    let status = ["status", "--state-dir", &directory];
    run(&dir.config(), state.path(), &status).await.assert(0, &["in sync"]);

    let reload = setting("ExecReload").replace("$MAINPID", &gateway.pid().to_string());
    let reload = words(&reload);
    assert!(Command::new(&reload[0]).args(&reload[1..]).status().await.unwrap().success());
    assert!(manager.next().await.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(manager.next().await, "READY=1\n");

    gateway.signal("TERM").await;
    assert_eq!(manager.next().await, "STOPPING=1\n");
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0, "{}", gateway.log());
}

#[test]
fn times_of_the_unit_fit_together() {
    let arguments = words(&setting("ExecStart"));
    let end = option(&arguments, "--lame-duck") + option(&arguments, "--drain-secs");
    assert!(seconds(&setting("TimeoutStopSec")) > end, "systemd kills the gateway before it has drained");
    // A step of an activation may take 10 s, and the message is due three times as often as the limit.
    assert!(seconds(&setting("WatchdogSec")) >= 30);
    assert_eq!(setting("Type"), "notify");
    assert_eq!(setting("SuccessExitStatus"), "6");
}

/// The rules of systemd itself, on a machine that has it.
#[test]
fn systemd_accepts_the_unit() {
    let dir = Workdir::new();
    let unit = dir.path().join("harmony-host.service");
    std::fs::write(&unit, file(UNIT).replace(PROGRAM, &binary().display().to_string())).unwrap();
    let analyze = |arguments: &[&str]| {
        std::process::Command::new("systemd-analyze").args(arguments).arg(&unit).output()
    };
    let Ok(verified) = analyze(&["verify", "--man=no"]) else {
        eprintln!("this machine has no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about_unit: Vec<&str> = said.lines().filter(|line| line.contains("harmony-host.service")).collect();
    assert!(verified.status.success() && about_unit.is_empty(), "{said}");
    // The exposure of a service without any restriction is 10.
    let rated = analyze(&["security", "--offline=true", "--threshold=20"]).unwrap();
    assert!(rated.status.success(), "{}", String::from_utf8_lossy(&rated.stdout));
}
