//! Lines of the log: control planes, durations, disks, tokens, counts, JSON and control characters.

use std::fmt::Write as _;

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Gateway, GatewayProcess, RUNBEAM_CONFIG, Workdir, binary, client, free_port};
use serde_json::{Value, json};

use super::dir;

/// Every message about a control plane names its address, the answer and the remedy.
#[tokio::test]
async fn messages_name_the_control_plane() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    let named = format!("the control plane at {}/", cloud.url());
    for (fault, expected) in [
        (
            Fault::Status(401, json!({ "message": "Unauthenticated." })),
            "answered 401 Unauthorized ('Unauthenticated'): it refused the",
        ),
        (Fault::status(403), "answered 403 Forbidden ('injected fault'): it denies this gateway its changes"),
        (Fault::status(404), "answered 404 Not Found"),
        (Fault::RetryAfter(429, 1), "it limits the number of requests; it asks for a pause of 1 s"),
        (Fault::status(503), "answered 503 Service Unavailable"),
        (Fault::html(200), "with text/html, not with JSON; check `api`"),
        (
            Fault::Redirect("https://elsewhere.example/x?token=hunter2".to_owned()),
            "it redirects to https://elsewhere.example/x;",
        ),
        (Fault::Cut, "closed the connection before the end of its response"),
    ] {
        let rule = cloud.inject(When::path("/harmony/changes/*"), fault);
        // A requested sync does not wait for the backoff.
        let requested = client().post(format!("http://127.0.0.1:{}/admin/sync", process.admin)).send().await;
        requested.unwrap();
        process.gateway.wait_for_log(expected).await;
        cloud.remove_fault(rule);
    }
    cloud.stop().await;
    let requested = client().post(format!("http://127.0.0.1:{}/admin/sync", process.admin)).send().await;
    requested.unwrap();
    process.gateway.wait_for_log("refuses connections; check that it runs, and the port in `api`").await;
    let log = process.gateway.log();
    for line in log.lines().filter(|line| line.contains("the sync with")) {
        assert!(line.contains(&named) || line.contains(&named.replace("/", "")), "{line}");
        assert!(line.contains("it is retried in "), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    assert!(!log.contains("Unauthenticated.;"), "{log}");
    // A duration as Rust prints it has many decimals.
    let is_debug = |word: &str| {
        word.ends_with('s')
            && word
                .split_once('.')
                .is_some_and(|(_, rest)| rest.len() > 3 && rest[..3].bytes().all(|b| b.is_ascii_digit()))
    };
    assert!(!log.split([' ', '=']).any(is_debug), "{log}");
}

/// A full disk is named as such, with the path and the remedy.
#[tokio::test]
async fn a_full_disk_is_named() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    process.fail_disk("28");
    cloud.put_document("edge", "pipeline", &echo("later", "/later"));
    process.gateway.wait_for_log("the disk is full (No space left on device); free space on it").await;
    let log = process.gateway.log();
    let line = log.lines().find(|line| line.contains("the disk is full")).unwrap();
    assert!(line.contains(&process.home.path().display().to_string()), "{line}");
    process.wait_for_reason(&["the disk is full", "free space on it"]).await;
}

/// A value of RUNBEAM_MACHINE_TOKEN that cannot be used is named, with what is wrong with it, and never shown.
#[tokio::test]
async fn a_garbage_machine_token_is_named() {
    let cloud = ControlPlane::start().await;
    for (token, expected) in [
        (
            "hunter2 hunter2",
            "RUNBEAM_MACHINE_TOKEN cannot be used: it is neither a JSON object nor a bare token: it has white space",
        ),
        ("hunter2\u{1b}[2J", "it has a control character"),
        ("\"hunter2\"", "it has quotation marks"),
        ("{\"machine_token\": \"hunter2\"", "at line 1, column"),
        ("hunter2\n", "it refused the machine token in RUNBEAM_MACHINE_TOKEN, which has not the form of one"),
    ] {
        let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
        let dir = Workdir::with([("config.toml", on_ports(&config, free_port(), free_port()))]);
        let gateway =
            Gateway::spawn_program(&binary(), &dir.config(), &[], &[("RUNBEAM_MACHINE_TOKEN", token)]);
        gateway.wait_for_log(expected).await;
        assert!(!gateway.log().contains("hunter2"), "{}", gateway.log());
    }
}

/// A configuration with this many problems.
fn problems(count: usize) -> String {
    let mut text = BASE.to_owned();
    for n in 0..count {
        let _ = write!(text, "[pipelines.p{n}]\nnetworks = [\"nowhere\"]\nendpoints = []\n");
    }
    text
}

/// A thousand problems are counted in the log, and ten are shown; `check` shows all.
#[tokio::test]
async fn a_thousand_problems_are_counted() {
    let dir = dir(&problems(1_000));
    let mut gateway = Gateway::spawn(&dir.config(), &[]);
    assert_eq!(gateway.exit_code().await, 1);
    let log = gateway.log();
    assert!(log.lines().count() < 150, "{} lines", log.lines().count());
    assert!(log.contains("and 990 more; `harmony-host check` lists all"), "{log}");
    assert!(log.contains("1000 problems"), "{log}");
    assert_eq!(super::errors(&dir).await.len(), 1_000);
    // An edit.
    let (port, admin) = (free_port(), free_port());
    dir.replace("config.toml", &on_ports(BASE, port, admin));
    let gateway = Gateway::start(&dir.config()).await;
    let before = gateway.log().lines().count();
    dir.replace("config.toml", &on_ports(&problems(1_000), port, admin));
    gateway.wait_for_log("and 990 more; `harmony-host check` lists all").await;
    assert!(gateway.log().contains("the configuration was rejected, 1000 problems"), "{}", gateway.log());
    assert!(gateway.log().lines().count() < before + 20, "{}", gateway.log());
}

/// Returns the events of a log in JSON.
fn events(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// With `--log-format json` a refused start is JSON as well: one object per problem, and one at the end.
#[tokio::test]
async fn a_refused_start_is_json() {
    let dir = dir(&format!("{BASE}[pipelines.x]\nnetworks = [\"nowhere\"]\nendpoints = [\"\u{202e}\"]\n"));
    let mut gateway = Gateway::spawn(&dir.config(), &["--log-format", "json", "--log", "off"]);
    assert_eq!(gateway.exit_code().await, 1);
    let events = events(&gateway.log());
    let first = &events[0];
    assert_eq!(
        (&first["level"], &first["fields"]["file"], &first["fields"]["line"]),
        (&json!("ERROR"), &json!("config.toml"), &json!(18)),
        "{first}"
    );
    assert!(
        first["fields"]["message"].as_str().unwrap().contains("there is no [network.nowhere]"),
        "{first}"
    );
    let last = &events.last().unwrap()["fields"];
    assert_eq!((&last["class"], &last["problems"]), (&json!("validate"), &json!(events.len() - 1)), "{last}");
    assert!(!gateway.log().contains('\u{202e}'), "{}", gateway.log());
}

/// Text of a control plane neither commands a terminal nor begins a line, in both formats.
#[tokio::test]
async fn text_of_a_control_plane_is_escaped() {
    let text = "no\u{1b}[2J\u{9b}1m\u{202e}\nERROR forged";
    for format in ["human", "json"] {
        let cloud = ControlPlane::start().await;
        cloud.inject(When::path("/harmony/changes/*"), Fault::Status(503, json!({ "message": text })));
        let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
        let dir = Workdir::with([("config.toml", on_ports(&config, free_port(), free_port()))]);
        let token = cloud.authorize("acme", "edge").to_string();
        let environment = [("RUNBEAM_MACHINE_TOKEN", token.as_str())];
        let gateway =
            Gateway::spawn_program(&binary(), &dir.config(), &["--log-format", format], &environment);
        gateway.wait_for_log("answered 503").await;
        let log = gateway.log();
        assert!(!log.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{log}");
        assert!(!log.lines().any(|line| line.starts_with("ERROR forged")), "{log}");
        if format == "json" {
            events(&log);
        }
    }
}
