//! Certificate authorities of one backend: `ca_cert_path` in its options, its connection or its target.

use harmony_host::Verdict;
use harmony_tests::site::{BASE, on_ports, pipeline};
use harmony_tests::{Identity, Site, Workdir, client, eventually};
use reqwest::StatusCode;
use tokio::net::TcpListener;

use super::serve;

/// Starts an https server with this identity and returns its URL.
async fn https_server(identity: &Identity) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, identity.acceptor(&["http/1.1"])));
    url
}

async fn status(site: &Site, path: &str) -> StatusCode {
    client().get(site.url(path)).send().await.expect("an answer").status()
}

/// Each spelling is trusted for its own backend, and for no other one of the same server.
#[tokio::test]
async fn ca_cert_path_is_trusted_for_its_backend() {
    let identity = Identity::new();
    let url = https_server(&identity).await;
    let base = format!("service = \"http\"\noptions.base_url = \"{url}\"\nmax_retries = 0\n");
    let host = url.strip_prefix("https://").unwrap().split(':').collect::<Vec<_>>();
    let target = format!(
        "connection.host = \"{}\"\nconnection.port = {}\nconnection.protocol = \"https\"\n",
        host[0], host[1]
    );
    let sections = pipeline("options", "/options", &format!("{base}options.ca_cert_path = \"tls/ca.pem\""))
        + &pipeline("connection", "/connection", &format!("{base}connection.ca_cert_path = \"tls/ca.pem\""))
        + &pipeline("target", "/target", "service = \"http\"\ntarget_ref = \"t\"\nmax_retries = 0")
        + &format!("[targets.t]\n{target}connection.ca_cert_path = \"tls/ca.pem\"\n")
        + &pipeline("none", "/none", &base)
        + &pipeline("other", "/other", &format!("{base}options.ca_cert_path = \"tls/other.pem\""));
    let dir = Workdir::with([("tls/ca.pem", identity.cert.clone()), ("tls/other.pem", Identity::new().cert)]);
    let site = Site::with(&format!("{BASE}{sections}"), dir).await;
    for (path, expected) in [
        ("/options", StatusCode::OK),
        ("/none", StatusCode::BAD_GATEWAY),
        ("/connection", StatusCode::OK),
        ("/target", StatusCode::OK),
        ("/other", StatusCode::BAD_GATEWAY),
        ("/none", StatusCode::BAD_GATEWAY),
    ] {
        assert_eq!(status(&site, path).await, expected, "{path}");
    }
}

/// An edit of the file is live, and what is no longer trusted is not reached over an old connection.
#[tokio::test]
async fn an_edit_of_ca_cert_path_is_live() {
    let (old, new) = (Identity::new(), Identity::new());
    let url = https_server(&new).await;
    let backend = format!(
        "service = \"http\"\noptions.base_url = \"{url}\"\noptions.ca_cert_path = \"ca.pem\"\nmax_retries = 0"
    );
    let dir = Workdir::with([("ca.pem", old.cert.clone())]);
    let site = Site::with(&format!("{BASE}{}", pipeline("a", "/a", &backend)), dir).await;
    let becomes = async |expected: StatusCode| {
        eventually("the edit is live", || async {
            let found = status(&site, "/a").await;
            (found == expected).then_some(()).ok_or(found)
        })
        .await;
    };
    becomes(StatusCode::BAD_GATEWAY).await;
    site.dir.replace("ca.pem", &format!("{}{}", old.cert, new.cert));
    becomes(StatusCode::OK).await;
    site.dir.replace("ca.pem", &old.cert);
    becomes(StatusCode::BAD_GATEWAY).await;
}

/// A file that is missing, empty or no certificate is a problem at the key, and nothing that serves changes.
#[tokio::test]
async fn ca_cert_path_without_a_certificate_is_rejected() {
    let identity = Identity::new();
    let url = https_server(&identity).await;
    let backend =
        format!("service = \"http\"\noptions.base_url = \"{url}\"\noptions.ca_cert_path = \"ca.pem\"");
    let dir = Workdir::with([("ca.pem", identity.cert.clone())]);
    let config = format!("{BASE}{}", pipeline("a", "/a", &backend));
    let site = Site::with(&config, dir).await;
    let line = config.lines().position(|line| line.contains("ca_cert_path")).unwrap() + 1;
    let der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = &identity.cert[..identity.cert.len() / 2];
    for (text, expected) in [
        (Some(""), "no certificate in PEM"),
        (Some("no certificate"), "no certificate in PEM"),
        (Some(identity.key.as_str()), "no certificate in PEM"),
        (Some(der), "certificate 1 of the file cannot be trusted"),
        (Some(cut), "not PEM"),
        (None, "cannot be read"),
    ] {
        match text {
            Some(text) => site.dir.replace("ca.pem", text),
            None => site.dir.remove("ca.pem"),
        }
        let Some(Verdict::Rejected(rejection)) = site.host.reload().await else {
            panic!("{expected}: not rejected")
        };
        let found: Vec<String> = rejection.problems.errors().map(ToString::to_string).collect();
        let at = |e: &String| e.starts_with(&format!("config.toml:{line}: ")) && e.contains(expected);
        assert!(found.iter().any(at), "{expected}: {found:?}");
        assert!(!found.iter().any(|e| e.contains("PRIVATE")), "{found:?}");
        assert_eq!(status(&site, "/a").await, StatusCode::OK, "{expected}");
    }
}

/// Two files for one backend contradict each other.
#[tokio::test]
async fn two_ca_cert_paths_are_rejected() {
    let identity = Identity::new();
    let both = "service = \"http\"\noptions.base_url = \"https://a.example\"\nconnection.ca_cert_path = \"a.pem\"\n\
                options.ca_cert_path = \"b.pem\"";
    let dir = Workdir::with([("a.pem", identity.cert.clone()), ("b.pem", identity.cert.clone())]);
    dir.write("config.toml", &on_ports(&format!("{BASE}{}", pipeline("a", "/a", both)), 1, 2));
    let mut options = harmony_host::HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    let served = harmony_host::Capabilities::new().with_endpoint("http").with_backend("http");
    let rejection = harmony_host::check(&options, served).await.unwrap_err();
    let found: Vec<String> = rejection.problems.errors().map(ToString::to_string).collect();
    assert!(
        found
            .iter()
            .any(|e| e.contains("backends.a.options.ca_cert_path: `connection.ca_cert_path` names another")),
        "{found:?}"
    );
}
