//! `force_https`: cleartext requests are redirected to https, to no host but those of this gateway.

use std::path::Path;

use harmony_host::{Capabilities, HostOptions};
use harmony_tests::site::{BASE, echo, ingress, is_live};
use harmony_tests::{Identity, Raw, Site, Workdir, free_port};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode};

const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/cases/force_https_ignored/config.toml");

/// Starts a gateway whose network `public` redirects to the network `secure`, on the returned port.
async fn redirecting(identity: &Identity, section: &str) -> (Site, u16) {
    let secure = free_port();
    let network = format!(
        "[network.secure.http]\nbind_address = \"127.0.0.1\"\nbind_port = {secure}\n\
         cert_path = \"tls/cert.pem\"\nkey_path = \"tls/key.pem\"\n"
    );
    let base = BASE.replace("bind_port = PORT\n", "bind_port = PORT\nforce_https = true\n");
    let base = base.replace("[network.public.http]", &format!("[network.public.{section}]"));
    let sections = echo("a", "/a").replace("[\"public\"]", "[\"public\", \"secure\"]")
        + &ingress("a", "in", "https://api.example.com/r4", "default");
    let dir = Workdir::with([("tls/cert.pem", identity.cert.clone()), ("tls/key.pem", identity.key.clone())]);
    (Site::with(&format!("{base}{network}{sections}"), dir).await, secure)
}

async fn answer(port: u16, method: &str, host: &str, target: &str) -> (u16, Option<String>) {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let answer = Raw::send(port, head).await;
    let location = answer.head().lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location").then(|| value.to_owned())
    });
    (answer.status(), location)
}

#[tokio::test]
async fn force_https_redirects_to_the_same_host() {
    for section in ["http", "tcp_config"] {
        let (site, secure) = redirecting(&Identity::new(), section).await;
        for (method, host, target, status, location) in [
            ("GET", "127.0.0.1", "/a/x?y=z&u=//b", 301, "https://127.0.0.1:S/a/x?y=z&u=//b"),
            ("HEAD", "LOCALHOST.:80", "/nowhere", 301, "https://localhost:S/nowhere"),
            ("POST", "api.example.com:8080", "/r4/%24x", 308, "https://api.example.com:S/r4/%24x"),
            ("OPTIONS", "localhost", "//evil.example/a", 308, "https://localhost:S/evil.example/a"),
            ("GET", "x", "http://localhost/a", 301, "https://localhost:S/a"),
        ] {
            let location = location.replace(":S", &format!(":{secure}"));
            assert_eq!(
                answer(site.port, method, host, target).await,
                (status, Some(location)),
                "{method} {target}"
            );
        }
    }
}

/// The Host header is the client's: it never decides on where a redirect leads.
#[tokio::test]
async fn force_https_is_no_open_redirect() {
    let (site, _) = redirecting(&Identity::new(), "http").await;
    for host in [
        "evil.example",
        "api.example.com.evil.example",
        "127.0.0.2",
        "evil.example:443",
        "[::1]",
        "a.localhost",
    ] {
        assert_eq!(answer(site.port, "GET", host, "/a").await, (421, None), "{host}");
        assert_eq!(
            answer(site.port, "POST", "localhost", &format!("http://{host}/a")).await,
            (421, None),
            "{host}"
        );
    }
    for (host, target) in
        [("localhost@evil.example", "/a"), ("localhost/evil", "/a"), ("", "/a"), ("localhost", "/a/%2e%2e")]
    {
        assert_eq!(answer(site.port, "GET", host, target).await, (400, None), "{host}{target}");
    }
}

/// A request over TLS is served, and the management API stays on its network.
#[tokio::test]
async fn force_https_exempts_tls_and_management() {
    let identity = Identity::new();
    let (site, _) = redirecting(&identity, "http").await;
    let trusted = Certificate::from_pem(identity.cert.as_bytes()).unwrap();
    let client =
        Client::builder().tls_certs_only([trusted]).no_proxy().redirect(Policy::limited(3)).build().unwrap();
    let followed = client.get(site.url("/a/x")).send().await.unwrap();
    assert_eq!((followed.status(), followed.url().scheme()), (StatusCode::OK, "https"));
    assert_eq!(client.get(site.admin_url("/admin/info")).send().await.unwrap().status(), StatusCode::OK);
    // Also where one network serves both.
    site.dir.edit("config.toml", "network = \"management\"", "network = \"public\"");
    assert!(is_live(site.host.reload().await.as_ref()));
    assert_eq!(Raw::get(site.port, "localhost", "/admin/info").await.status(), 200);
    assert_eq!(answer(site.port, "GET", "evil.example", "/a").await, (421, None));
}

async fn errors(config: &Path) -> Vec<String> {
    let mut options = HostOptions::new(config, harmony_host::registry());
    let state = Workdir::new();
    options.state_dir = state.path().to_owned();
    let served = Capabilities::new().with_endpoint("http").with_backend("echo");
    match harmony_host::check(&options, served).await {
        Ok(_) => Vec::new(),
        Err(rejection) => rejection.problems.errors().map(ToString::to_string).collect(),
    }
}

/// Without a listener with TLS there is nothing to redirect to, and the configuration is rejected at the key.
#[tokio::test]
async fn force_https_ignored() {
    for (name, expected) in [
        ("http", "config.toml:9: network.public.http"),
        ("tcp_config", "config.toml:9: network.public.tcp_config"),
    ] {
        let config =
            BASE.replace("bind_port = PORT", "bind_port = 1\nforce_https = true").replace("ADMIN", "2");
        let config = config.replace("[network.public.http]", &format!("[network.public.{name}]"));
        let dir = Workdir::with([("config.toml", config.clone())]);
        let found = errors(&dir.config()).await;
        assert!(
            found.len() == 1
                && found[0].starts_with(&format!("{expected}.force_https: no network serves TLS")),
            "{found:?}"
        );
        let dir = Workdir::with([("config.toml", config.replace("= true\n\n", "= false\n\n"))]);
        assert_eq!(errors(&dir.config()).await, [""; 0]);
    }
    if !Path::new(CASE).exists() {
        eprintln!("skipped: the official case is not in this checkout");
        return;
    }
    let found = errors(Path::new(CASE)).await;
    assert!(
        found.iter().any(|e| e.contains("network.default.http.force_https: no network serves TLS")),
        "{found:?}"
    );
}
