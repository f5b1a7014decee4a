//! The subcommand `run`: starts, signals, the drain and the state directory.

use harmony_tests::site::{echo, forward};
use harmony_tests::{Gateway, Upstream, Workdir, client, eventually, full};
use http::Response;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc};

use super::{WRONG, WRONG_LINES, dir, run};

#[tokio::test]
async fn run_rejects_a_broken_configuration() {
    let dir = Workdir::with([("config.toml", WRONG.to_owned())]);
    let mut gateway = Gateway::spawn(&dir.config(), &[]);
    assert_eq!(gateway.exit_code().await, 1);
    for line in WRONG_LINES {
        gateway.wait_for_log(&format!("config.toml:{line}:")).await;
    }
    gateway.wait_for_log("5 problems").await;
    assert!(!gateway.log().contains("hunter2"), "{}", gateway.log());
}

#[tokio::test]
async fn run_rejects_an_address_in_use() {
    let (dir, port, _) = dir(&echo("api", "/api"));
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ran = run(&dir.config(), &["run"]).await.assert_code(1);
    ran.assert_contains(&["network.public", &format!("cannot listen on 127.0.0.1:{port}"), "config.toml:8:"]);
}

/// Starts a gateway with a request in flight that ends when a message is sent on the channel.
async fn with_a_slow_request(arguments: &[&str]) -> (Gateway, u16, Slow) {
    let (started, mut starts) = mpsc::channel(1);
    let (release, _) = broadcast::channel::<()>(1);
    let released = release.clone();
    let upstream = Upstream::with_handler(move |_| {
        let (started, mut released) = (started.clone(), released.subscribe());
        async move {
            started.send(()).await.unwrap();
            let _ = released.recv().await;
            Response::new(full("finished"))
        }
    })
    .await;
    let (dir, port, _) = dir(&forward("api", "/api", &upstream.url()));
    let mut gateway = Gateway::spawn(&dir.config(), arguments);
    gateway.wait_until_ready().await;
    let request = tokio::spawn(client().get(format!("http://127.0.0.1:{port}/api")).send());
    starts.recv().await.unwrap();
    (gateway, port, Slow { request, release, _dir: dir, _upstream: upstream })
}

struct Slow {
    request: tokio::task::JoinHandle<reqwest::Result<reqwest::Response>>,
    release: broadcast::Sender<()>,
    _dir: Workdir,
    _upstream: Upstream,
}

#[tokio::test]
async fn sigterm_waits_for_requests_in_flight() {
    let (mut gateway, port, slow) = with_a_slow_request(&[]).await;
    gateway.signal("TERM").await;
    eventually("new connections are refused", || async {
        match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            Err(_) => Ok(()),
            Ok(_) => Err("connected"),
        }
    })
    .await;
    slow.release.send(()).unwrap();
    assert_eq!(slow.request.await.unwrap().unwrap().text().await.unwrap(), "finished");
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn an_incomplete_drain_exits_with_6() {
    let (mut gateway, _, slow) = with_a_slow_request(&["--drain-secs", "0"]).await;
    gateway.signal("INT").await;
    assert_eq!(gateway.exit_code().await, 6);
    assert!(slow.request.await.unwrap().is_err());
}

#[tokio::test]
async fn sighup_reloads_and_json_logs_parse() {
    let (dir, port, _) = dir(&echo("api", "/api"));
    let mut gateway = Gateway::spawn(&dir.config(), &["--log-format", "json"]);
    gateway.wait_until_ready().await;
    gateway.signal("HUP").await;
    gateway.wait_for_log("SIGHUP: reloading").await;
    dir.edit("config.toml", "path_prefix = \"/api\"", "path_prefix = \"/moved\"");
    gateway.signal("HUP").await;
    eventually("the new path is served", || async {
        let status = client().get(format!("http://127.0.0.1:{port}/moved")).send().await.unwrap().status();
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
    gateway.wait_for_log("stopping").await;
    for line in gateway.log().lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["level"].is_string() && event["fields"]["message"].is_string(), "{line}");
    }
}

/// A second gateway on the same configuration is rejected; the first one is not affected.
#[tokio::test]
async fn a_second_gateway_on_one_config_is_rejected() {
    let (dir, port, _) = dir(&echo("api", "/api"));
    let first = Gateway::start(&dir.config()).await;
    let mut second = Gateway::spawn(&dir.config(), &[]);
    assert_eq!(second.exit_code().await, 1);
    let log = second.log();
    assert!(log.contains("another gateway runs on this configuration"), "{log}");
    let answer = client().get(format!("http://127.0.0.1:{port}/api")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(first);
    Gateway::start(&dir.config()).await;
}

/// The state directory comes from `--state-dir`, the environment, the home directory or the configuration's directory.
#[tokio::test]
async fn the_state_directory_by_precedence() {
    use std::os::unix::fs::PermissionsExt as _;
    for (arguments, environment, place) in [
        (&["--state-dir", "argument"][..], &[("HARMONY_STATE_DIR", "variable")][..], "argument"),
        (&[], &[("HARMONY_STATE_DIR", "variable"), ("STATE_DIRECTORY", "unit")], "variable"),
        (&[], &[("STATE_DIRECTORY", "unit:other"), ("HOME", "home")], "unit"),
        (&[], &[("HOME", "home")], "home/.runbeam"),
        (&[], &[("HOME", "")], ".runbeam"),
    ] {
        let (dir, ..) = dir(&echo("api", "/api"));
        let within = |(name, value): (&'static str, &'static str)| {
            let whole = |part: &str| dir.path().join(part).display().to_string();
            let parts: Vec<String> = value.split(':').filter(|part| !part.is_empty()).map(whole).collect();
            (name, parts.join(":"))
        };
        let environment: Vec<_> = environment.iter().copied().map(within).collect();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let argument = dir.path().join("argument").display().to_string();
        let arguments = if arguments.is_empty() { Vec::new() } else { vec![arguments[0], argument.as_str()] };
        let mut gateway =
            Gateway::spawn_program(&harmony_tests::binary(), &dir.config(), &arguments, &environment);
        gateway.wait_until_ready().await;
        let made = dir.path().join(place);
        assert!(made.join("harmony/last-good").is_dir(), "{place}");
        assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700, "{place}");
    }
}
