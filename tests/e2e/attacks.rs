//! Attacks on a gateway: oversized heads, slow senders, paths and hosts that try to bypass a mesh ingress.

mod smuggling;

use harmony_tests::site::{forward, ingress, mesh};
use harmony_tests::{Forged, Raw, Site, Upstream, client};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Starts a gateway that forwards all requests.
async fn open(upstream: &Upstream) -> Site {
    Site::serving(&forward("all", "/", &upstream.url())).await
}

fn paths(upstream: &Upstream) -> Vec<String> {
    upstream.requests().iter().map(|request| request.uri.to_string()).collect()
}

#[tokio::test]
async fn an_oversized_head_is_rejected() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    let large = "x".repeat(200_000);
    let many = "X-Header: 1\r\n".repeat(5_000);
    for text in [
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: {large}\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}Connection: close\r\n\r\n"),
        format!("GET /{large} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        format!("{large} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    ] {
        let answer = Raw::send(site.port, &text).await;
        assert!(matches!(answer.statuses()[..], [] | [400 | 414 | 431]), "{}", answer.0);
    }
    let http2 = Client::builder().tls_certs_only([]).http2_prior_knowledge().build().unwrap();
    let answer = http2.get(site.url("/")).header("x-large", &large).send().await;
    assert!(
        answer.is_err() || answer.is_ok_and(|a| a.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
    assert_eq!(paths(&upstream), [""; 0]);
}

/// Slow senders do not delay other clients, and get a response when their request is complete.
#[tokio::test]
async fn slow_senders_block_no_other_client() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    let mut slow = Vec::new();
    for n in 0..100 {
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        let parts = [
            (
                "",
                "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow",
            ),
            (
                "PO",
                "ST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow",
            ),
            (
                "POST /slow HTTP/1.1\r\nHo",
                "st: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow",
            ),
            (
                "POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsl",
                "ow",
            ),
        ];
        let (now, later) = parts[n % parts.len()];
        stream.write_all(now.as_bytes()).await.unwrap();
        slow.push((stream, later));
    }
    assert_eq!(client().get(site.url("/quick")).send().await.unwrap().text().await.unwrap(), "answered");
    for (mut stream, later) in slow {
        stream.write_all(later.as_bytes()).await.unwrap();
        assert_eq!(Raw::rest_of(&mut stream).await.body(), "answered");
    }
}

/// Starts a gateway with a pipeline for members of a mesh, and one for all other requests.
async fn guarded(protected: &Upstream, public: &Upstream) -> Site {
    let text = forward("records", "/r4", &protected.url())
        + &ingress("records", "records", "http://api.example.com/r4", "mesh")
        + &ingress("records", "tls", "https://api.example.com/r4", "mesh")
        + &forward("public", "/", &public.url())
        + &mesh("clinic", "records");
    Site::serving(&text).await
}

/// No other host and no other spelling of the path bypasses the token check of a mesh ingress.
#[tokio::test]
async fn no_host_or_path_bypasses_a_mesh_ingress() {
    let [protected, public] = [Upstream::with_body("protected").await, Upstream::with_body("public").await];
    let site = guarded(&protected, &public).await;
    let hosts = [
        "api.example.com",
        "API.EXAMPLE.COM",
        "api.example.com.",
        "api.example.com:80",
        "api.example.com:443",
        "api.example.com:8080",
        "other.example",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "%61pi.example.com",
    ];
    let paths = [
        "/r4",
        "/r4/x",
        "/r4/",
        "//r4/x",
        "/r4//x",
        "///r4",
        "/%72%34/x",
        "/%724",
        "/r4?x",
        "/r4/%2F",
        "/r4;x/y",
        "/R4/x",
        "/x/../r4",
        "/./r4/x",
        "/x/%2e%2e/r4",
        "/x/..%2fr4",
        "/%2e/r4",
        "/%2fr4/x",
        "/r4%2fx",
        "/r4%00/x",
        "/x/..;/r4",
        "/\\r4",
    ];
    for host in hosts {
        for path in paths {
            let end = "X-Original-URL: /r4\r\nX-Rewrite-URL: /r4\r\nX-Forwarded-Host: x\r\nConnection: close\r\n\r\n";
            for head in [
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"),
                format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n"),
                format!("GET http://{host}{path} HTTP/1.1\r\nHost: api.example.com\r\n"),
                format!("GET https://{host}{path} HTTP/1.1\r\nHost: localhost\r\n"),
            ] {
                let answer = Raw::send(site.port, format!("{head}{end}")).await;
                assert!(!answer.0.contains("protected"), "{head}{}", answer.0);
                assert!(answer.statuses().iter().all(|status| *status < 500), "{head}{}", answer.0);
            }
        }
        assert_eq!(Raw::get(site.port, host, "/r4/x").await.status(), 403, "{host}");
        assert_eq!(Raw::get(site.port, host, "//%724/x").await.status(), 403, "{host}");
    }
    assert!(protected.requests().is_empty());
    let member =
        client().get(site.url("/r4/x")).bearer_auth(Forged::of("clinic").jwt()).send().await.unwrap();
    assert_eq!(member.text().await.unwrap(), "protected");
}

/// An upstream that decodes a path before it removes dot segments, or reads a backslash as a slash, would otherwise
/// leave the base URL.
#[tokio::test]
async fn dot_segments_behind_escaped_slashes_are_400() {
    let upstream = Upstream::with_body("answered").await;
    let site = Site::serving(&forward("api", "/api", &format!("{}/public", upstream.url()))).await;
    for path in
        ["/api/..%2fadmin", "/api/%2e%2e%2Fadmin", "/api/x%2f..%2fadmin", "/api/..%5cadmin", "/api/..\\admin"]
    {
        assert_eq!(Raw::get(site.port, "localhost", path).await.status(), 400, "{path}");
    }
    assert_eq!(paths(&upstream), [""; 0]);
}

/// An upstream that decodes `%2%65` once gets `%2e`, a new escape.
#[tokio::test]
async fn invalid_percent_escapes_are_400() {
    let upstream = Upstream::with_body("answered").await;
    let site = open(&upstream).await;
    for path in ["/%", "/x%2", "/%zz/x", "/%a%30", "/%2%65%2%65/x", "/%u002e"] {
        assert_eq!(Raw::get(site.port, "localhost", path).await.status(), 400, "{path}");
    }
    assert_eq!(paths(&upstream), [""; 0]);
}

/// A `default` ingress forwards every credential except a valid mesh token.
#[tokio::test]
async fn a_default_ingress_forwards_other_credentials() {
    let upstream = Upstream::with_body("answered").await;
    let text = forward("api", "/api", &upstream.url())
        + &ingress("api", "api", "http://127.0.0.1:PORT/r4", "default")
        + &mesh("clinic", "api");
    let site = Site::serving(&text).await;
    let valid = || Forged::of("clinic");
    let with_last_character_changed = |text: String| format!("{}x", &text[..text.len() - 1]);
    for credential in [
        format!("Bearer {}", valid().signed_with(b"another-secret-of-more-than-32-bytes-in-all").jwt()),
        format!("Bearer {}", valid().shifted(-10_000).jwt()),
        format!("Bearer {}", Forged::of("other").jwt()),
        format!("Bearer {}", valid().unsigned()),
        format!("bearer  {}", valid().claim("iss", json!("other")).jwt()),
        format!("Bearer {}", with_last_character_changed(valid().unsigned() + "AAAA")),
        "Bearer opaque-token".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Basic dXNlcjpwYXNz".to_owned(),
        "Bearer".to_owned(),
    ] {
        for path in ["/r4/x", "/api/x"] {
            let answer =
                client().get(site.url(path)).header("authorization", &credential).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{credential}");
            let request = upstream.last_request();
            let forwarded: Vec<_> = request.headers.get_all("authorization").iter().collect();
            assert_eq!(forwarded, [&credential], "{path}");
        }
    }
    client().get(site.url("/r4/x")).bearer_auth(valid().jwt()).send().await.unwrap();
    assert!(
        !upstream.last_request().headers.contains_key("authorization"),
        "a valid mesh token is not forwarded"
    );
}
