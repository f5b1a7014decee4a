//! `status` and `sync` find the gateway that runs on a configuration, whatever config.toml says by now.

use std::path::PathBuf;

use harmony_tests::site::{BASE, echo, on_ports};
use harmony_tests::{Gateway, RawServer, Upstream, Workdir, eventually, free_port};
use http::Response;

use super::run;

/// A configuration with a management API, and its home directory.
struct Setup {
    dir: Workdir,
    admin: u16,
}

impl Setup {
    fn new() -> Self {
        let (dir, admin) = (Workdir::new(), free_port());
        dir.write("config.toml", &on_ports(&format!("{BASE}{}", echo("api", "/api")), free_port(), admin));
        Self { dir, admin }
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let config = self.dir.config();
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--config", config.to_str().unwrap()]).collect();
        run(self.dir.path(), &arguments).await
    }

    /// Returns the path of the address file.
    fn address_file(&self) -> PathBuf {
        let saved = self.dir.path().join(".runbeam/harmony/last-good");
        let mut directories = std::fs::read_dir(saved).unwrap();
        directories.next().unwrap().unwrap().path().join("management.json")
    }

    /// Waits until `status` exits with 7 and its output contains `text`.
    async fn wait_until_not_in_sync(&self, text: &str) {
        eventually("the edit is rejected", || async {
            let (code, output) = self.run(&["status"]).await;
            if code == 7 && output.contains(text) { Ok(()) } else { Err((code, output)) }
        })
        .await;
    }
}

fn raw(response: &'static str) -> impl Fn(usize) -> Option<String> + Send + 'static {
    move |_| Some(response.to_owned())
}

/// `status` reports of a running gateway that config.toml is not valid, not text, unreadable or gone.
#[tokio::test]
async fn an_invalid_config_does_not_end_status() {
    let setup = Setup::new();
    let _gateway = Gateway::start(&setup.dir.config()).await;
    assert_eq!(setup.run(&["status"]).await.0, 0);
    setup.dir.replace("config.toml", "management = 5\n");
    setup.wait_until_not_in_sync("management").await;
    std::fs::write(setup.dir.config(), b"[proxy]\nid = \"caf\xe9\"\n").unwrap();
    setup.wait_until_not_in_sync("UTF-8").await;
    setup.dir.remove("config.toml");
    setup.wait_until_not_in_sync("config.toml").await;
    let (code, output) = setup.run(&["sync"]).await;
    assert_eq!(code, 9, "the gateway has no remote provider: {output}");
}

/// The address of an edit that was rejected is not asked.
#[tokio::test]
async fn the_served_address_is_asked_and_not_the_edited_one() {
    let setup = Setup::new();
    let _gateway = Gateway::start(&setup.dir.config()).await;
    let silent = RawServer::writing(|_| None).await;
    let edited = silent.url().rsplit_once(':').unwrap().1.to_owned();
    let text = setup.dir.read("config.toml");
    let text = text.replace(&setup.admin.to_string(), &edited).replace("\"echo\"", "7");
    setup.dir.replace("config.toml", &text);
    setup.wait_until_not_in_sync("backends.api.service").await;
    assert!(silent.requests().is_empty(), "{:?}", silent.requests());
}

/// An applied edit moves the address file. It is removed at the end, and counts no more after a kill.
#[tokio::test]
async fn the_address_file_follows_the_gateway() {
    let setup = Setup::new();
    let mut gateway = Gateway::start(&setup.dir.config()).await;
    let (before, after) = (format!(":{}/", setup.admin), free_port().to_string());
    assert!(std::fs::read_to_string(setup.address_file()).unwrap().contains(&before));
    setup.dir.edit("config.toml", &setup.admin.to_string(), &after);
    eventually("the address file has the new port", || async {
        let text = std::fs::read_to_string(setup.address_file()).unwrap_or_default();
        if text.contains(&after) { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(setup.run(&["status"]).await.0, 0);
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
    assert!(!setup.address_file().exists(), "removed at the end");

    let other = Upstream::with_body("{}").await;
    let mut gateway = Gateway::start(&setup.dir.config()).await;
    gateway.signal("KILL").await;
    gateway.wait_for_exit().await;
    let stale = format!(r#"{{"url":"{}/admin","process":1}}"#, other.url());
    std::fs::write(setup.address_file(), stale).unwrap();
    setup.dir.replace("config.toml", "management = 5\n");
    let (code, output) = setup.run(&["status"]).await;
    assert_eq!(code, 1, "{output}");
    for text in ["management", "no gateway runs on", "--url", "--state-dir"] {
        assert!(output.contains(text), "{text}: {output}");
    }
    assert!(other.requests().is_empty(), "the address of a killed gateway is not asked");
}

/// The token is not sent to an address that another user can have prepared.
#[tokio::test]
async fn the_token_goes_to_no_untrusted_address() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::new();
    let token = "0123456789abcdef0123456789abcdef";
    setup.dir.edit("config.toml", "enabled = true", &format!("enabled = true\ntoken = \"{token}\""));
    let _gateway = Gateway::start(&setup.dir.config()).await;
    let file = setup.address_file();
    let other = Upstream::with_body("{}").await;
    let point_to = |url: &str, mode| {
        std::fs::write(&file, format!(r#"{{"url":"{url}","process":1}}"#)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // A peer on the loopback needs no token, so none is sent there.
    point_to(&format!("{}/admin", other.url()), 0o600);
    let (code, output) = setup.run(&["status", "--token", token]).await;
    assert_eq!(code, 5, "{output}");
    assert!(!other.requests().is_empty());
    for request in other.requests() {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
    let asked = other.requests().len();
    // Others can write it: config.toml decides.
    point_to(&format!("{}/admin", other.url()), 0o622);
    assert_eq!(setup.run(&["status"]).await.0, 0);
    assert_eq!(other.requests().len(), asked);
    // No address of this machine, and no number (RFC 5737): config.toml decides.
    for url in ["http://192.0.2.1:80/admin", "http://localhost.example:80/admin"] {
        point_to(url, 0o600);
        assert_eq!(setup.run(&["status"]).await.0, 0, "{url}");
    }
}

/// Another gateway at the configured address is not taken for this one.
#[tokio::test]
async fn another_gateway_at_the_address_is_named() {
    let (running, other) = (Setup::new(), Setup::new());
    let _gateway = Gateway::start(&running.dir.config()).await;
    other.dir.edit("config.toml", &other.admin.to_string(), &running.admin.to_string());
    other.dir.edit("config.toml", "id = \"site\"", "id = \"other\"");
    for command in ["status", "sync"] {
        let (code, output) = other.run(&[command]).await;
        assert_eq!(code, 5, "{output}");
        let served = running.dir.config().display().to_string();
        for text in ["another gateway answers: `site`", &served, "`other`", "--url"] {
            assert!(output.contains(text), "{text}: {output}");
        }
    }
    // With an address on the command line any gateway is meant.
    let url = format!("http://127.0.0.1:{}/admin", running.admin);
    assert_eq!(other.run(&["status", "--url", &url]).await.0, 0);
}

/// A server that is no gateway is named as that, with the exit code for it.
#[tokio::test]
async fn what_is_no_gateway_is_named() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";
    let away = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2000\r\n\r\n{";
    for (response, text) in [
        (page, "200 OK, text/html: the answer is not JSON"),
        (away, "503 Service Unavailable"),
        (json, "this is not a management API"),
        (cut, "incomplete"),
        ("SSH-2.0-OpenSSH_9.9\r\n", "not HTTP"),
        ("", "the connection"),
    ] {
        let server = RawServer::writing(raw(response)).await;
        for command in ["status", "sync"] {
            let url = format!("{}/admin", server.url());
            let (code, output) = run("/nonexistent".as_ref(), &[command, "--url", &url]).await;
            assert_eq!(code, 5, "{output}");
            assert!(output.contains(text) && output.contains(&url) && output.contains("help: "), "{output}");
            assert!(!output.contains("in sync"), "{output}");
        }
    }
}

/// A missing token and a wrong one are told apart, with the remedy of each.
#[tokio::test]
async fn denied_access_has_a_remedy() {
    let denying = Upstream::with_handler(|_| async {
        let body = r#"{"error":"refused","message":"send management.token as a bearer token"}"#;
        let mut response = Response::new(harmony_tests::full(body));
        *response.status_mut() = http::StatusCode::UNAUTHORIZED;
        response
    })
    .await;
    let url = format!("{}/admin", denying.url());
    for (arguments, remedy) in [
        (&[][..], "HARMONY_MANAGEMENT_TOKEN"),
        (&["--token", " "], "HARMONY_MANAGEMENT_TOKEN"),
        (&["--token", "0123456789abcdef0123456789abcdef"], "another management.token"),
    ] {
        let arguments: Vec<&str> =
            ["status", "--url", &url].into_iter().chain(arguments.iter().copied()).collect();
        let (code, output) = run("/nonexistent".as_ref(), &arguments).await;
        assert_eq!(code, 4, "{output}");
        assert!(output.contains(remedy) && !output.contains("0123456789"), "{output}");
    }
}

/// Without any gateway the message has the reason, what is known about the gateway, and the flags to give.
#[tokio::test]
async fn no_gateway_has_a_remedy() {
    let setup = Setup::new();
    let (code, output) = setup.run(&["status"]).await;
    assert_eq!(code, 5, "{output}");
    for text in ["refused", "no gateway has run on", "--state-dir", "help: "] {
        assert!(output.contains(text), "{text}: {output}");
    }
    setup.dir.edit("config.toml", "enabled = true", "enabled = false");
    let (code, output) = setup.run(&["status"]).await;
    assert_eq!(code, 5, "{output}");
    assert!(output.contains("does not enable the management API"), "{output}");
    setup.dir.remove("config.toml");
    let (code, output) = setup.run(&["status"]).await;
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("does not tell where the gateway is") && output.contains("--url"), "{output}");
    let (code, output) =
        run("/nonexistent".as_ref(), &["status", "--url", "https://127.0.0.1:1/admin"]).await;
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("http only") && output.contains("curl"), "{output}");
    for url in ["nonsense", "", "localhost:9090", "ftp://127.0.0.1/admin"] {
        let (code, output) = run("/nonexistent".as_ref(), &["status", "--url", url]).await;
        assert_eq!(code, 2, "{output}");
        assert!(output.contains("http://127.0.0.1:9090/admin") && !output.contains("curl"), "{output}");
    }
    let file = setup.dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (code, output) = setup.run(&["status", "--state-dir", file.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("Not a directory") && output.contains("give another --state-dir"), "{output}");
}
