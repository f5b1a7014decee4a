//! The management token goes only to a program that is known to be the gateway of the configuration.

use std::net::UdpSocket;

use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Gateway, Upstream, Workdir, client, free_port, full};
use http::{Response, StatusCode};
use serde_json::json;

use super::run;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Returns a directory with a configuration whose management API is on the port `admin`.
fn site(admin: u16, token: Option<&str>) -> Workdir {
    let dir = Workdir::new();
    dir.write("config.toml", &on_ports(&format!("{BASE}{}", echo("api", "/api")), free_port(), admin));
    if let Some(token) = token {
        dir.edit("config.toml", "enabled = true", &format!("enabled = true\ntoken = \"{token}\""));
    }
    dir
}

/// Runs a command with a state directory of its own, in which no gateway has run.
async fn run_elsewhere(dir: &Workdir, arguments: &[&str]) -> (i32, String) {
    let home = Workdir::new();
    let config = dir.config();
    let more = ["--config", config.to_str().unwrap(), "--state-dir", home.path().to_str().unwrap()];
    run(home.path(), &[arguments, &more].concat()).await
}

/// Starts a program that is no gateway, and answers with this status and body.
async fn imposter(status: u16, body: String) -> Upstream {
    Upstream::with_handler(move |_| {
        let body = body.clone();
        async move {
            let mut response = Response::new(full(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let headers = response.headers_mut();
            headers.insert("content-type", "application/json".parse().unwrap());
            headers.insert("management-proof", "0".repeat(64).parse().unwrap());
            response
        }
    })
    .await
}

/// No request to a program that has taken the port of a gateway has the token, whatever it answers.
#[tokio::test]
async fn imposter_gets_no_token() {
    for (status, is_imitation) in
        [(404, false), (401, false), (403, false), (200, false), (200, true), (401, true)]
    {
        let config = site(free_port(), Some(TOKEN));
        let body = match is_imitation {
            true => json!({ "config_file_path": config.config(), "proxy_id": "site", "in_sync": true }),
            false => json!({ "error": "refused", "message": "send management.token as a bearer token" }),
        };
        let imposter = imposter(status, body.to_string()).await;
        let text = config.read("config.toml");
        let port = text.rsplit("bind_port = ").next().unwrap().lines().next().unwrap().to_owned();
        let text = text.replace(&port, &imposter.address().port().to_string());
        config.replace("config.toml", &text);
        for arguments in [&["status"][..], &["sync"], &["sync", "--token", TOKEN], &["status", "--json"]] {
            let (code, output) = run_elsewhere(&config, arguments).await;
            assert_eq!(code, 5, "{status}: {output}");
            assert!(output.contains("is known to run") && output.contains("help: "), "{output}");
            assert!(!output.contains("in sync") && !output.contains(TOKEN), "{output}");
        }
        assert!(imposter.requests().len() >= 4);
        for request in imposter.requests() {
            assert!(!format!("{request:?}").contains(TOKEN), "{request:?}");
        }
    }
}

/// A running gateway proves itself to a command that does not find its state directory.
#[tokio::test]
async fn gateway_proves_itself() {
    let (with_token, without) = (site(free_port(), Some(TOKEN)), site(free_port(), None));
    let (_first, _second) =
        (Gateway::start(&with_token.config()).await, Gateway::start(&without.config()).await);
    assert_eq!(run_elsewhere(&with_token, &["status"]).await.0, 0);
    let other = ["status", "--token", "another-token-of-this-gateway-0123456789"];
    let (code, output) = run_elsewhere(&with_token, &other).await;
    assert!(code == 5 && output.contains("does not prove"), "{output}");
    let (code, output) = run_elsewhere(&without, &["status"]).await;
    assert_eq!(code, 5, "{output}");
    for text in ["nothing proves", "--state-dir", "help: "] {
        assert!(output.contains(text), "{text}: {output}");
    }
}

/// A program that passes the challenge on to the gateway at its real address gets no proof for its own.
#[tokio::test]
async fn proofs_cannot_be_passed_on() {
    let config = site(free_port(), Some(TOKEN));
    let text = config.read("config.toml");
    let admin = text.rsplit("bind_port = ").next().unwrap().lines().next().unwrap().to_owned();
    let _gateway = Gateway::start(&config.config()).await;
    let url = format!("http://127.0.0.1:{admin}/admin/config/status");
    let relay = Upstream::with_handler(move |request| {
        let asked = client().get(&url).headers(request.headers.clone());
        async move {
            let answer = asked.send().await.unwrap();
            let (headers, body) = (answer.headers().clone(), answer.bytes().await.unwrap());
            let mut response = Response::new(full(body));
            for name in ["content-type", "management-proof"] {
                headers.get(name).and_then(|value| response.headers_mut().insert(name, value.clone()));
            }
            assert!(response.headers().contains_key("management-proof"), "the gateway answers challenges");
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
        }
    })
    .await;
    // The edit is invalid, so the gateway stays where it is.
    let text = text.replace(&admin, &relay.address().port().to_string()).replace("\"echo\"", "7");
    config.replace("config.toml", &text);
    let (code, output) = run_elsewhere(&config, &["status"]).await;
    assert_eq!(code, 5, "{output}");
    assert!(!relay.requests().is_empty());
    assert!(!format!("{:?}", relay.requests()).contains(TOKEN));
}

/// A gateway on another address than the loopback gets the token after it has proved itself.
#[tokio::test]
async fn token_after_the_proof() {
    // Sends nothing: the system chooses the local address for the route (RFC 5737).
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    let Some(own) = own.ok().filter(|own| !own.ip().is_loopback()) else { return };
    let config = site(free_port(), Some(TOKEN));
    let text = config.read("config.toml");
    let (start, end) = text.rsplit_once("127.0.0.1").unwrap();
    config.replace("config.toml", &format!("{start}{}{end}", own.ip()));
    let _gateway = Gateway::start(&config.config()).await;
    assert_eq!(run_elsewhere(&config, &["status"]).await.0, 0, "by config.toml");
    let file = config.config();
    let served = ["status", "--config", file.to_str().unwrap()];
    assert_eq!(run(config.path(), &served).await.0, 0, "by the address file");
    let (code, output) = run(config.path(), &[&served[..], &["--token", &"x".repeat(32)]].concat()).await;
    assert!(code == 4 && output.contains("was not sent"), "{output}");
}

/// A copy of a configuration, with the same id and the same port, is not the one that the gateway serves.
#[tokio::test]
async fn copies_are_not_served() {
    for token in [None, Some(TOKEN)] {
        let served = site(free_port(), token);
        let _gateway = Gateway::start(&served.config()).await;
        let copy = Workdir::with([("config.toml", served.read("config.toml"))]);
        copy.write("pipelines/broken.toml", "[pipelines.x]\nmoed = 1\n");
        for command in ["status", "sync"] {
            let (code, output) = run_elsewhere(&copy, &[command]).await;
            assert_eq!(code, 5, "{output}");
            for file in [served.config(), copy.config()] {
                assert!(output.contains(file.to_str().unwrap()), "{output}");
            }
        }
        // A link is the same file.
        let linked = Workdir::new();
        std::os::unix::fs::symlink(served.config(), linked.config()).unwrap();
        let config = linked.config();
        let (code, output) = run(served.path(), &["status", "--config", config.to_str().unwrap()]).await;
        assert_eq!(code, 0, "{output}");
    }
}
