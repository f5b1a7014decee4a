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

/// Starts a control plane that answers with `EVIL` in every text.
async fn evil_control_plane() -> Upstream {
    Upstream::with_handler(|request| {
        let change = json!({ "id": EVIL, "type": EVIL, "kind": EVIL, "status": EVIL, "gateway_id": EVIL,
                             "created_at": EVIL, "config": EVIL });
        let (code, body) = match request.uri.path() {
            path if path.contains("/changes") => (200, json!({ "data": [change], "message": EVIL })),
            _ => (500, json!({ "message": EVIL, "error": EVIL })),
        };
        async move {
            let mut response = Response::new(full(body.to_string()));
            *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
            response.headers_mut().insert("x-note", http::HeaderValue::from_bytes(b"\x9b31m").unwrap());
            response
        }
    })
    .await
}

/// Sends requests with bytes that command a terminal in the path, the host and a header.
async fn send_evil_requests(port: u16) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for (path, host, value) in [
        (&b"/\x9b31m"[..], &b"a"[..], &b"b"[..]),
        (b"/api/%1b[2J%0ain%20sync", b"a\x1b[2J", b"b"),
        (b"/api", b"a", b"\x9b31m\xe2\x80\xae"),
        (b"/nowhere%0a%1b", b"x.example", b"\xff\xfe"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = [
            b"GET ",
            path,
            b" HTTP/1.1\r\nhost: ",
            host,
            b"\r\nauthorization: Bearer ",
            value,
            b"\r\nconnection: close\r\n\r\n",
        ]
        .concat();
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        // A refused connection may be reset.
        let _ = stream.read_to_end(&mut answer).await;
    }
}

/// The log of a running gateway: names of files, texts of a control plane, requests, the subject of a certificate.
#[tokio::test]
async fn logs_are_escaped() {
    let cloud = evil_control_plane().await;
    for format in ["human", "json"] {
        let (dir, port, admin) = (Workdir::new(), harmony_tests::free_port(), harmony_tests::free_port());
        let config = harmony_tests::RUNBEAM_CONFIG.replace("API", &cloud.url()).replace("INTERVAL", "1");
        dir.write("config.toml", &on_ports(&format!("{config}{}", echo("api", "/api")), port, admin));
        dir.write(&format!("pipelines/{EVIL}.toml"), &echo("evil", "/evil"));
        dir.write(&format!("pipelines/{EVIL}.tomll"), "");
        let mut subject = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        subject.distinguished_name.push(rcgen::DnType::CommonName, EVIL);
        subject.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        dir.write("tls.crt", &subject.self_signed(&key).unwrap().pem());
        dir.write("tls.key", &key.serialize_pem());
        let path = dir.config();
        let mut command = super::command(dir.path(), &["run", "--log-format", format, "--log", "trace"]);
        command.arg("--config").arg(&path);
        let home = dir.path().display().to_string();
        let environment = [("HOME", &*home), ("RUNBEAM_MACHINE_TOKEN", "7|x"), ("RUST_BACKTRACE", "0")];
        let mut gateway = harmony_tests::Gateway::spawn_command(command, &path, &environment);
        gateway.wait_until_ready().await;
        send_evil_requests(port).await;
        let tls = format!(
            "[network.tls.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\n\
             cert_path = \"tls.crt\"\nkey_path = \"tls.key\"\n",
            harmony_tests::free_port()
        );
        let text = dir.read("config.toml");
        dir.replace("config.toml", &format!("{text}{tls}"));
        dir.write(&format!("mesh/{EVIL}.toml"), "[mesh.broken\n");
        gateway.wait_for_log("rejected").await;
        for arguments in [&["status"][..], &["status", "--json"], &["sync"], &["check"], &["check", "--json"]]
        {
            let arguments: Vec<&str> =
                arguments.iter().copied().chain(["--config", path.to_str().unwrap()]).collect();
            assert_safe(&run(dir.path(), &arguments).await.1);
        }
        let log = gateway.log();
        assert_safe(&log);
        assert!(log.contains("u{1b}[2J") || log.contains("u001b[2J"), "the names are logged: {log}");
    }
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
