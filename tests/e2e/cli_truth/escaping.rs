//! Text of documents, peers and control planes begins no line of its own and commands no terminal, in any output.

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{echo, ingress, on_ports};
use harmony_tests::{Upstream, Workdir, full};
use http::Response;
use serde_json::{Value, json};

use super::run;

/// Text that forges a line, clears the screen, sets colours in two ways and reorders text.
const EVIL: &str = "x\nin sync\r\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{7f}\u{feff}";

/// Returns whether a character must not reach a terminal.
fn is_unsafe(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[track_caller]
fn assert_safe(output: &str) {
    let found: Vec<char> = output.chars().filter(|c| is_unsafe(*c)).collect();
    assert!(found.is_empty(), "{found:?} in {output:?}");
    assert!(!output.lines().any(|line| line.starts_with("in sync")), "a forged line: {output}");
}

/// Starts a program that answers `provider` and `sync` like a gateway, with `EVIL` in every text.
async fn evil_gateway() -> Upstream {
    let change = json!({ "id": EVIL, "kind": EVIL, "class": EVIL, "summary": EVIL, "verdict": EVIL,
                         "problems": [EVIL, EVIL], "at": EVIL });
    let problem = json!({ "file": EVIL, "line": 3, "key": EVIL, "message": EVIL, "help": EVIL });
    let sync = json!({
        "authorization": EVIL, "credential_source": EVIL, "credential_problem": EVIL, "heard_at": EVIL,
        "due_at": EVIL, "last_change": change, "evidence": { "last_applied": change },
    });
    let status = json!({
        "in_sync": false, "reason": EVIL, "now": EVIL, "gateway": EVIL, "config_file_path": EVIL,
        "provider": { "name": EVIL, "type": format!("{EVIL}."), "address": EVIL, "polling": EVIL, "abilities": [EVIL] },
        "effective": { "generation": 1, "digest": EVIL, "since": EVIL, "warnings": [problem] },
        "attempted": { "verdict": "rejected", "class": EVIL, "digest": EVIL, "at": EVIL, "problems": [problem] },
        "desired": { "digest": EVIL, "read_at": EVIL }, "last_good": { "at": EVIL, "failure": EVIL }, "sync": sync,
        "certificates": [{ "key": EVIL, "file": EVIL, "state": EVIL, "ends_at": EVIL }],
    });
    let report =
        json!({ "success": false, "message": EVIL, "applied": [change], "rejected": [change], "held": [] });
    Upstream::with_handler(move |request| {
        let body = match request.uri.path() {
            "/admin/config/status" => json!({ "config_file_path": EVIL, "proxy_id": EVIL }),
            "/admin/provider" => status.clone(),
            "/admin/sync" => report.clone(),
            _ => json!({ "message": EVIL, "error": EVIL }),
        };
        let code = match request.uri.path() {
            "/admin/sync" => 503,
            path if path.starts_with("/admin/") => 200,
            "/denied/config/status" => 403,
            _ => 404,
        };
        async move {
            let mut response = Response::new(full(body.to_string()));
            *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
            response
        }
    })
    .await
}

/// Every value of an answer is escaped, in text, in JSON and in errors.
#[tokio::test]
async fn answers_of_a_peer_are_escaped() {
    let gateway = evil_gateway().await;
    for (path, code) in [("admin", 7), ("denied", 4), ("missing", 5)] {
        let url = format!("{}/{path}", gateway.url());
        for arguments in [&["status"][..], &["status", "--json"], &["sync"], &["sync", "--json"]] {
            let arguments: Vec<&str> = arguments.iter().copied().chain(["--url", &url]).collect();
            let (exit, output) = run("/nonexistent".as_ref(), &arguments).await;
            let code = if arguments[0] == "sync" && path == "admin" { 9 } else { code };
            assert_eq!(exit, code, "{output}");
            assert_safe(&output);
            assert!(output.contains("u{1b}[2J") || output.contains("u001b[2J"), "{output}");
            if exit == 7 && arguments.contains(&"--json") {
                let shown: Value = serde_json::from_str(&output).unwrap();
                assert_eq!(shown["reason"], EVIL, "JSON has the same value");
            }
        }
    }
}

/// Names and values of documents are escaped by every command that reads them.
#[tokio::test]
async fn documents_are_escaped() {
    let quoted = json!(EVIL).to_string().replace('\u{7f}', "\\u007f");
    let config = format!(
        "[proxy]\nid = \"x\"\nprimary_provider = {quoted}\n[network.n.http]\nbind_address = {quoted}\n\
         [management]\nenabled = true\nnetwork = {quoted}\n[{quoted}]\na = 1\n[mesh.{quoted}]\ntype = {quoted}\n"
    );
    let dir = Workdir::with([("config.toml", config)]);
    let path = dir.config();
    for arguments in [
        &["check"][..],
        &["check", "--json"],
        &["run"],
        &["run", "--log-format", "json"],
        &["resolve", "x"],
        &["status"],
        &["sync"],
    ] {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--config", path.to_str().unwrap()]).collect();
        let (code, output) = run(dir.path(), &arguments).await;
        assert_eq!(code, 1, "{output}");
        assert_safe(&output);
    }
    let reference = run(dir.path(), &["resolve", EVIL, "--config", path.to_str().unwrap()]).await;
    assert_eq!(reference.0, 2, "{}", reference.1);
    let missing = run(dir.path(), &["check", "--config", &format!("/nonexistent/{EVIL}")]).await;
    assert_eq!(missing.0, 1, "{}", missing.1);
    assert_safe(&missing.1);
}

/// The names and texts of a resource at a control plane are escaped by `resolve`.
#[tokio::test]
async fn resources_are_escaped() {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("acme", "edge").to_string();
    let description = json!(EVIL).to_string().replace('\u{7f}', "\\u007f");
    let records = ingress("api", "records", "https://records.example/r4", "default");
    cloud.seed("edge", "pipeline", &format!("{}{records}description = {description}\n", echo("api", "/api")));
    let config = harmony_tests::RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "0");
    let config = on_ports(&config, 1, 2);
    let dir = Workdir::with([("config.toml", config)]);
    let path = dir.config();
    for json in [&[][..], &["--json"]] {
        let arguments: Vec<&str> =
            ["resolve", "runbeam.acme.ingress.name.records", "--config", path.to_str().unwrap()]
                .into_iter()
                .chain(json.iter().copied())
                .collect();
        let output = super::command(dir.path(), &arguments).env("RUNBEAM_MACHINE_TOKEN", &token).output();
        let (code, output) = super::ended(&output.await.unwrap());
        assert_eq!(code, 0, "{output}");
        assert_safe(&output);
        assert!(output.contains("[2J"), "the description is shown: {output}");
    }
}
