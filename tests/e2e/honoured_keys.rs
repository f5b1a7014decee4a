//! Keys of requests that were once ignored: peers, middleware by side, `path_prefix`, limits, over every spelling.

use std::path::Path;

use harmony_host::{Capabilities, HostOptions, RequestHead, Scheme};
use harmony_tests::site::{BASE, echo, ingress, pipeline};
use harmony_tests::{Raw, Site, Upstream, Workdir, client};
use http::HeaderMap;
use reqwest::StatusCode;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/cases");

async fn status(site: &Site, path: &str) -> StatusCode {
    client().get(site.url(path)).send().await.expect("an answer").status()
}

/// Returns the errors and the warnings of a configuration for the built-in services.
async fn problems(config: &Path) -> (Vec<String>, Vec<String>) {
    let mut options = HostOptions::new(config, harmony_host::registry());
    let state = Workdir::new();
    options.state_dir = state.path().to_owned();
    let served = Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo");
    match harmony_host::check(&options, served).await {
        Ok(snapshot) => (Vec::new(), snapshot.warnings().iter().map(ToString::to_string).collect()),
        Err(rejection) => (rejection.problems.errors().map(ToString::to_string).collect(), Vec::new()),
    }
}

async fn problems_of(sections: &str) -> (Vec<String>, Vec<String>) {
    let config = format!("{BASE}{sections}").replace("PORT", "1").replace("ADMIN", "2");
    problems(&Workdir::with([("config.toml", config)]).config()).await
}

/// The official input, on a free port; skipped where it is absent.
async fn official(case: &str, port: &str) -> Option<Site> {
    let source = Path::new(CASES).join(case);
    if !source.join("config.toml").exists() {
        eprintln!("skipped: {case} is not in this checkout");
        return None;
    }
    let dir = Workdir::copy_of(&source, |text| text);
    let config = dir.read("config.toml").replace(port, "PORT");
    Some(Site::with(&config, dir).await)
}

/// An endpoint inherits the authentication of its peer, which this gateway does not have: 501, never without it.
#[tokio::test]
async fn peer_ref_auth_ignored() {
    let peer = |text: &str| {
        echo("a", "/a").replace("service = \"http\"", "service = \"http\"\npeer_ref = \"hospital\"")
            + &ingress("a", "in", "http://a.example/in", "default")
            + &format!("[peers.hospital]\nprotocol = \"http\"\n{text}\n")
            + "[authentications.jwt]\nmethod = \"jwt\"\n[authentications.open]\nmethod = \"none\"\n"
    };
    for (text, expected) in [
        ("", StatusCode::OK),
        ("authentication = \"authentications.open\"", StatusCode::OK),
        ("authentication = \"jwt\"", StatusCode::NOT_IMPLEMENTED),
        ("authentication = \"authentications.jwt\"", StatusCode::NOT_IMPLEMENTED),
        ("authentication = \"authentications.none-such\"", StatusCode::NOT_IMPLEMENTED),
        ("authentication = \"jwt\"\nenabled = false", StatusCode::NOT_IMPLEMENTED),
    ] {
        let site = Site::serving(&peer(text)).await;
        assert_eq!(status(&site, "/a").await, expected, "{text}");
        assert_eq!(Raw::get(site.port, "a.example", "/in").await.status(), expected.as_u16(), "{text}");
    }
    if let Some(site) = official("peer_ref_auth_ignored", "18111").await {
        assert_eq!(status(&site, "/a").await, StatusCode::NOT_IMPLEMENTED);
    }
}

/// A disabled peer closes its endpoints and their ingresses: 503. The other endpoints of the pipeline are served.
#[tokio::test]
async fn a_disabled_peer_is_503() {
    let sections = echo("a", "/a").replace("endpoints = [\"a\"]", "endpoints = [\"a\", \"b\", \"same\"]")
        + &ingress("a", "in", "http://a.example/in", "default").replace("mode", "endpoint = \"b\"\nmode")
        + "[endpoints.b]\nservice = \"http\"\npeer_ref = \"hospital\"\noptions.path_prefix = \"/b\"\n\
           [endpoints.same]\nservice = \"http\"\noptions.path_prefix = \"/b/\"\n[peers.hospital]\nenabled = false\n";
    let site = Site::serving(&sections).await;
    assert_eq!(status(&site, "/a").await, StatusCode::OK);
    assert_eq!(status(&site, "/b/x").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(Raw::get(site.port, "a.example", "/in/x").await.status(), 503);
    let headers = HeaderMap::new();
    let snapshot = site.host.snapshot();
    let head = RequestHead::new("public", Scheme::Http, "localhost", "/b", &headers);
    assert_eq!(snapshot.admit(&head).await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
    let warned =
        snapshot.warnings().iter().any(|w| w.key == "endpoints.b.peer_ref" && w.message.contains("503"));
    assert!(warned, "{:?}", snapshot.warnings());
    site.dir.edit("config.toml", "[peers.hospital]\nenabled = false", "[peers.hospital]\nenabled = true");
    site.host.reload().await;
    assert_eq!(status(&site, "/b/x").await, StatusCode::OK);
}

/// A peer that is not there, and a connection of an endpoint, are rejected: this gateway receives from anybody, so what
/// they say would be ignored.
#[tokio::test]
async fn unknown_peers_and_endpoint_connections_are_rejected() {
    let endpoint =
        |line: &str| echo("a", "/a").replace("service = \"http\"", &format!("service = \"http\"\n{line}"));
    for (line, key) in [
        ("peer_ref = \"none-such\"", "endpoints.a.peer_ref"),
        ("connection = {}", "endpoints.a.connection"),
        ("connection.host = \"10.1.2.3\"", "endpoints.a.connection"),
        ("connection.port = 7", "endpoints.a.connection"),
        ("connection.protocol = \"https\"", "endpoints.a.connection"),
        ("connection.base_path = \"/x\"", "endpoints.a.connection"),
        ("connection.ca_cert_path = \"a.pem\"", "endpoints.a.connection"),
    ] {
        let (errors, _) = problems_of(&endpoint(line)).await;
        let at = |e: &String| e.starts_with("config.toml:2") && e.contains(&format!(": {key}: "));
        assert!(errors.iter().any(at), "{line}: {errors:?}");
    }
}

/// Middleware of each side counts in every spelling: what is not served is 501, and a wrong shape is rejected.
#[tokio::test]
async fn middleware_incoming_dropped() {
    let with = |line: &str| echo("a", "/a").replace("backends = ", &format!("{line}\nbackends = "));
    for line in [
        "middleware = [\"jwt_auth\"]",
        "middleware = { incoming = [\"jwt_auth\"], outgoing = [] }",
        "middleware = { incoming = [], outgoing = [\"jwt_auth\"] }",
        "middleware = { left = [\"jwt_auth\"] }",
        "middleware = { right = [\"passthru\", \"jwt_auth\"] }",
        "middleware.incoming = [\"jwt_auth\"]",
        "middleware.outgoing = [\n  \"passthru\", # first\n  \"jwt_auth\",\n]",
        "\"middleware\".\"left\" = ['jwt_auth']",
    ] {
        let text = with(line) + "[middleware_types.jwt_auth]\nmodule = \"\"\n";
        let site = Site::serving(&text).await;
        assert_eq!(status(&site, "/a").await, StatusCode::NOT_IMPLEMENTED, "{line}");
    }
    let table = echo("a", "/a")
        + "[pipelines.a.middleware]\nincoming = [\"jwt_auth\"]\n[middleware_types.jwt_auth]\n";
    assert_eq!(status(&Site::serving(&table).await, "/a").await, StatusCode::NOT_IMPLEMENTED);
    for line in [
        "middleware = \"jwt_auth\"",
        "middleware = { incoming = \"jwt_auth\" }",
        "middleware = { incomming = [\"jwt_auth\"] }",
        "middleware = { incoming = [[\"jwt_auth\"]] }",
        "middleware = [{ incoming = [\"jwt_auth\"] }]",
        "middleware = { incoming = [\"none-such\"] }",
        "middleware = false",
        "middleware = {}",
    ] {
        let (errors, _) = problems_of(&with(line)).await;
        let at = |e: &String| e.starts_with("config.toml:") && e.contains("pipelines.a.middleware");
        assert!(errors.iter().any(at), "{line}: {errors:?}");
    }
}

/// The path of a backend precedes the path that is sent, wherever and however it is written.
#[tokio::test]
async fn backend_path_prefix_ignored() {
    let upstream = Upstream::with_body("tenant").await;
    let url = upstream.url();
    let port = url.rsplit(':').next().unwrap();
    let connection =
        format!("connection = {{ host = \"127.0.0.1\", port = {port}, base_path = \"/base/\" }}");
    for (keys, sent) in [
        (format!("options.base_url = \"{url}\"\noptions.path_prefix = \"/tenant-7\""), "/tenant-7/x?q=/..//"),
        (format!("options = {{ url = \"{url}/\", path_prefix = \"/tenant-7/\" }}"), "/tenant-7/x?q=/..//"),
        (
            format!("options.base_url = \"{url}/base\"\noptions.path_prefix = \"/a/%74\""),
            "/base/a/t/x?q=/..//",
        ),
        (format!("{connection}\noptions.path_prefix = \"/tenant-7\""), "/base/tenant-7/x?q=/..//"),
        (format!("options.base_url = \"{url}\"\noptions.path_prefix = \"/\""), "/x?q=/..//"),
        ("target_ref = \"t\"\noptions.path_prefix = \"/tenant-7\"".to_owned(), "/base/tenant-7/x?q=/..//"),
    ] {
        let sections = pipeline("a", "/a", &format!("service = \"http\"\n{keys}"))
            + &format!("[targets.t]\n{connection}\n");
        let site = Site::serving(&sections).await;
        assert_eq!(Raw::get(site.port, "localhost", "/a/x?q=/..//").await.status(), 200, "{keys}");
        assert_eq!(upstream.last_request().uri.to_string(), sent, "{keys}");
    }
    for wrong in [
        "\"tenant\"",
        "\"/a/../b\"",
        "\"/a\\\\b\"",
        "\"/a?b\"",
        "\"/a#b\"",
        "\"\"",
        "7",
        "[\"/a\"]",
        "\"/%\"",
    ] {
        let keys = format!("service = \"http\"\noptions.base_url = \"{url}\"\noptions.path_prefix = {wrong}");
        let (errors, _) = problems_of(&pipeline("a", "/a", &keys)).await;
        let at = |e: &String| e.starts_with("config.toml:") && e.contains("backends.a.options.path_prefix");
        assert!(errors.iter().any(at), "{wrong}: {errors:?}");
    }
}

/// Types and least values of all limits are checked; those of parsers have no effect here, and no warning.
#[tokio::test]
async fn content_limits() {
    let limits = [
        ("max_body_size", 1024),
        ("max_csv_rows", 1),
        ("max_xml_depth", 1),
        ("max_multipart_files", 1),
        ("max_form_fields", 1),
    ];
    for (key, least) in limits {
        for wrong in [
            format!("{}", least - 1),
            "-1".to_owned(),
            "\"10MB\"".to_owned(),
            "true".to_owned(),
            "1.5".to_owned(),
            "[]".to_owned(),
        ] {
            for text in [
                format!("[proxy.content_limits]\n{key} = {wrong}\n"),
                format!("[network.x.http]\nbind_port = 3\n[proxy.content_limits]\n\"{key}\" = {wrong}\n"),
            ] {
                let (errors, _) = problems_of(&text).await;
                let at = |e: &String| {
                    e.starts_with("config.toml:") && e.contains(&format!("proxy.content_limits.{key}: "))
                };
                assert!(errors.iter().any(at), "{text}: {errors:?}");
            }
        }
        let (errors, warnings) = problems_of(&format!("[proxy.content_limits]\n{key} = {least}\n")).await;
        let about = |w: &String| w.contains("content_limits");
        assert!(errors.is_empty() && !warnings.iter().any(about), "{key}: {errors:?} {warnings:?}");
    }
    assert!(!problems_of("[proxy.content_limits]\nmax_xml_depth = 1001\n").await.0.is_empty());
    // The schema has them in [proxy] only.
    for section in ["pipelines.a", "endpoints.a", "backends.a", "network.public.http"] {
        let (errors, _) =
            problems_of(&format!("{}[{section}.content_limits]\nmax_body_size = 4096\n", echo("a", "/a")))
                .await;
        assert!(
            errors.iter().any(|e| e.contains(&format!("{section}.content_limits"))),
            "{section}: {errors:?}"
        );
    }
}

/// The written limit holds for bodies of known and unknown length; without it, bodies are streamed without one.
#[tokio::test]
async fn max_body_size_holds_where_it_is_written() {
    let upstream = Upstream::with_body("answered").await;
    let forward = format!("service = \"http\"\noptions.base_url = \"{}\"", upstream.url());
    let sections = pipeline("f", "/f", &forward) + &echo("e", "/e");
    let limited = Site::serving(&format!("[proxy.content_limits]\nmax_body_size = 2048\n{sections}")).await;
    let free = Site::serving(&sections).await;
    assert_eq!(limited.host.snapshot().max_body_size(), Some(2048));
    assert_eq!(free.host.snapshot().max_body_size(), None);
    for path in ["/f", "/e"] {
        for (size, expected) in [(2048, StatusCode::OK), (2049, StatusCode::PAYLOAD_TOO_LARGE)] {
            let send = |site: &Site| client().post(site.url(path)).body(vec![b'x'; size]).send();
            assert_eq!(send(&limited).await.unwrap().status(), expected, "{path} {size}");
            assert_eq!(send(&free).await.unwrap().status(), StatusCode::OK, "{path} {size}");
        }
        let body = "801\r\n".to_owned() + &"x".repeat(0x801) + "\r\n0\r\n\r\n";
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{body}"
        );
        assert_eq!(Raw::send(limited.port, &head).await.status(), 413, "{path}");
        assert_eq!(Raw::send(free.port, &head).await.status(), 200, "{path}");
    }
    // Twice the 10 MiB that Harmony's parsers take.
    let large = client().post(free.url("/f")).body(vec![b'x'; 20 << 20]).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::OK);
}
