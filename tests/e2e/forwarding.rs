//! Forwarding: the request that reaches the upstream, and the response that returns.

mod failures;
mod repaired;
mod streams;

use harmony_tests::site::{echo, forward, pipeline};
use harmony_tests::{Raw, RawServer, RecordedRequest, Site, Upstream, client, full};
use http::header::{CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use reqwest::Client;

/// Starts a gateway that forwards /api to `base_url`.
async fn to(base_url: &str) -> Site {
    Site::serving(&forward("api", "/api", base_url)).await
}

fn http2() -> Client {
    Client::builder().tls_certs_only([]).http2_prior_knowledge().build().unwrap()
}

fn values<'r>(request: &'r RecordedRequest, name: &str) -> Vec<&'r str> {
    request.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn path_and_query_are_appended_to_the_base_url() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&format!("{}/base/", upstream.url())).await;
    for (path, arrived) in [
        ("/api", "/base"),
        ("/api/", "/base/"),
        ("/api/a%2Fb/c%20d/?q=1&q=2&empty=&r=%2F..%2F", "/base/a%2Fb/c%20d/?q=1&q=2&empty=&r=%2F..%2F"),
        ("/api?", "/base?"),
        ("/api//x", "/base//x"),
    ] {
        let answer = Raw::get(site.port, "localhost", path).await;
        assert_eq!(answer.body(), "answered");
        assert_eq!(upstream.last_request().uri, arrived, "{path}");
    }
}

#[tokio::test]
async fn method_headers_and_body_arrive_unchanged() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let request = client().request(method.parse().unwrap(), site.url("/api/x"));
        let request = request.header("x-own", "a").header("x-own", "b").basic_auth("user", Some("pass"));
        request.body("the body").send().await.unwrap();
        let arrived = upstream.last_request();
        assert_eq!((arrived.method.as_str(), &arrived.body[..]), (method, &b"the body"[..]));
        assert_eq!(values(&arrived, "x-own"), ["a", "b"]);
        assert_eq!(values(&arrived, "content-length"), ["8"]);
        assert_eq!(values(&arrived, "authorization"), ["Basic dXNlcjpwYXNz"]);
        assert_eq!(values(&arrived, "host"), [upstream.address().to_string()]);
    }
}

/// A backend forwards to its target, and its own `connection` keys override those of the target.
#[tokio::test]
async fn a_backend_connection_overrides_its_target() {
    let [one, other] = [Upstream::with_body("one").await, Upstream::with_body("other").await];
    let (port, another) = (one.address().port(), other.address().port());
    let target = format!(
        "[targets.app]\nconnection = {{ host = \"127.0.0.1\", port = {port}, protocol = \"http\", \
         base_path = \"/target\" }}\n[targets.url]\nconnection.host = \"{}/whole\"\n",
        one.url()
    );
    let moved = format!("target_ref = \"app\"\nconnection.port = {another}");
    for (keys, body, arrived) in [
        ("target_ref = \"app\"", "one", "/target/x?q"),
        ("target_ref = \"app\"\nconnection.base_path = \"/own\"", "one", "/own/x?q"),
        (moved.as_str(), "other", "/target/x?q"),
        ("target_ref = \"url\"", "one", "/whole/x?q"),
    ] {
        let backend = format!("service = \"http\"\n{keys}");
        let site = Site::serving(&format!("{target}{}", pipeline("api", "/api", &backend))).await;
        assert_eq!(Raw::get(site.port, "localhost", "/api/x?q").await.body(), body, "{keys}");
        let upstream = if body == "one" { &one } else { &other };
        assert_eq!(upstream.last_request().uri, arrived, "{keys}");
    }
}

/// Hop-by-hop headers are removed in both directions.
#[tokio::test]
async fn hop_by_hop_headers_are_removed() {
    let upstream = RawServer::writing(|_| {
        let head = "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                    Proxy-Connection: close\r\nX-Kept: yes\r\nContent-Length: 2\r\n\r\n";
        Some(format!("{head}ok"))
    })
    .await;
    let site = to(&upstream.url()).await;
    let request = "GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close, x-secret-hop, upgrade\r\n\
                   X-Secret-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\n\
                   Upgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nX-Kept: yes\r\n\r\n";
    let answer = Raw::send(site.port, request).await;
    assert_eq!(answer.status(), 200);
    let arrived = upstream.requests()[0].to_ascii_lowercase();
    for (side, removed) in [
        (&arrived, &["x-secret-hop", "keep-alive", "proxy-connection", "te:", "upgrade", "proxy-auth"][..]),
        (&answer.head(), &["x-hop", "keep-alive", "proxy-connection"][..]),
    ] {
        for name in removed {
            assert!(!side.contains(name), "{name} in {side}");
        }
        assert!(side.contains("x-kept: yes"), "{side}");
    }
}

#[tokio::test]
async fn the_upstream_gets_forwarding_headers() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    let host = format!("localhost:{}", site.port);
    let answer = client().get(format!("http://{host}/api")).send().await.unwrap();
    assert_eq!(answer.headers()["via"], "1.1 harmony");
    let arrived = upstream.last_request();
    assert_eq!(values(&arrived, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&arrived, "x-forwarded-host"), [&host]);
    assert_eq!(values(&arrived, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&arrived, "forwarded"), [format!("for=127.0.0.1;host=\"{host}\";proto=http")]);
    assert_eq!(values(&arrived, "via"), ["1.1 harmony"]);
}

/// X-Forwarded-For and Via are appended to; X-Forwarded-Host and X-Forwarded-Proto are replaced.
#[tokio::test]
async fn forwarding_chains_are_appended_claims_replaced() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    let request = http2().get(site.url("/api")).header("x-forwarded-for", "203.0.113.7");
    let request = request.header("x-forwarded-proto", "https").header("x-forwarded-host", "spoofed.example");
    request.header("via", "1.0 fred").send().await.unwrap();
    let arrived = upstream.last_request();
    assert_eq!(values(&arrived, "x-forwarded-for"), ["203.0.113.7, 127.0.0.1"]);
    assert_eq!(values(&arrived, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&arrived, "x-forwarded-host"), [format!("127.0.0.1:{}", site.port)]);
    assert_eq!(values(&arrived, "via").join(", "), "1.0 fred, 2 harmony");
}

/// HAProxy appends its own line below the client's lines, so the last line is the trusted one.
#[tokio::test]
async fn multi_line_forwarding_chains_are_preserved() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    let request = client().get(site.url("/api"));
    let request = request.header("x-forwarded-for", "spoofed").header("x-forwarded-for", "203.0.113.7");
    request.header("forwarded", "for=spoofed").header("forwarded", "for=203.0.113.7").send().await.unwrap();
    let arrived = upstream.last_request();
    assert_eq!(values(&arrived, "x-forwarded-for").join(", "), "spoofed, 203.0.113.7, 127.0.0.1");
    let forwarded = values(&arrived, "forwarded").join(", ");
    assert!(forwarded.starts_with("for=spoofed, for=203.0.113.7, for=127.0.0.1;"), "{forwarded}");
}

#[tokio::test]
async fn http_2_cookies_are_joined_into_one_header() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    let mut headers = HeaderMap::new();
    headers.append(COOKIE, HeaderValue::from_static("a=1"));
    headers.append(COOKIE, HeaderValue::from_static("b=2; c=3"));
    http2().get(site.url("/api")).headers(headers).send().await.unwrap();
    assert_eq!(values(&upstream.last_request(), "cookie"), ["a=1; b=2; c=3"]);
}

#[tokio::test]
async fn responses_return_unchanged() {
    let upstream = Upstream::with_handler(|_| async {
        let answer = Response::builder().status(StatusCode::IM_A_TEAPOT).header("x-own", "a");
        answer
            .header("x-own", "b")
            .header("set-cookie", "c=1")
            .header("set-cookie", "d=2")
            .body(full("12345"))
            .unwrap()
    })
    .await;
    let site = to(&upstream.url()).await;
    for client in [client(), http2()] {
        let answer = client.get(site.url("/api")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(answer.headers()[CONTENT_LENGTH], "5");
        let all = |name| answer.headers().get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("x-own"), ["a", "b"]);
        assert_eq!(all("set-cookie"), ["c=1", "d=2"]);
        assert_eq!(answer.text().await.unwrap(), "12345");
    }
}

#[tokio::test]
async fn responses_without_a_body_keep_their_headers() {
    for (method, answer, status, lengths) in [
        ("HEAD", "200 OK\r\nContent-Length: 1234", 200, &[Some("1234")][..]),
        // The length of a 304 may be absent (RFC 9110, section 8.6), but must not differ.
        ("GET", "304 Not Modified\r\nContent-Length: 1234", 304, &[Some("1234"), None]),
        ("GET", "304 Not Modified", 304, &[None]),
        ("GET", "204 No Content", 204, &[None]),
        ("GET", "200 OK\r\nContent-Length: 0", 200, &[Some("0")]),
    ] {
        let text = format!("HTTP/1.1 {answer}\r\nETag: \"x\"\r\nConnection: close\r\n\r\n");
        let upstream = RawServer::writing(move |_| Some(text.clone())).await;
        let site = to(&upstream.url()).await;
        let request = format!("{method} /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let got = Raw::send(site.port, request).await;
        assert_eq!((got.status(), got.body()), (status, ""), "{answer}");
        assert!(got.head().contains("etag: \"x\""), "{}", got.0);
        let head = got.head();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert!(lengths.contains(&length), "{method} {answer}: {length:?}");
    }
}

/// A response that the gateway itself makes has no body for HEAD, over HTTP/2 either, where the client's library refuses one.
#[tokio::test]
async fn no_response_to_head_has_a_body() {
    let upstream = RawServer::writing(|_| Some("nonsense\r\n\r\n".to_owned())).await;
    let sections = echo("echo", "/echo") + &forward("broken", "/broken", &upstream.url());
    let site = Site::serving(&sections).await;
    let admin = |path: &str| format!("http://127.0.0.1:{}{path}", site.admin);
    let (old, new) = (client(), http2());
    for url in [
        site.url("/echo"),
        site.url("/none"),
        site.url("/broken"),
        admin("/admin/health"),
        admin("/admin/none"),
    ] {
        let got = old.get(&url).send().await.unwrap();
        let status = got.status();
        for client in [&old, &new] {
            let answer = client.head(&url).send().await.unwrap();
            assert_eq!(answer.status(), status, "{url}");
            assert!(answer.headers().contains_key("content-length"), "{url}: {answer:?}");
            assert_eq!(answer.bytes().await.unwrap(), "", "{url}");
        }
    }
}

#[tokio::test]
async fn a_get_with_a_chunked_body_is_forwarded() {
    let upstream = Upstream::with_body("answered").await;
    let site = to(&upstream.url()).await;
    let request = "GET /api/_search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n5\r\nquery\r\n0\r\n\r\n";
    assert_eq!(Raw::send(site.port, request).await.status(), 200);
    assert_eq!(upstream.last_request().body, "query");
}

#[tokio::test]
async fn the_echo_redacts_credentials() {
    let site = Site::serving(&echo("echo", "/echo")).await;
    let request = client().post(site.url("/echo/x?q=1")).bearer_auth("hunter2").header("x-own", "shown");
    let request = request.header("cookie", "session=hunter2").header("proxy-authorization", "Basic hunter2");
    let text = request.body("sent").send().await.unwrap().text().await.unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["headers"]["authorization"][0], "[redacted]");
    assert_eq!(json["headers"]["x-own"][0], "shown");
    assert_eq!(
        (&json["method"], &json["query"], &json["body"]),
        (&"POST".into(), &"q=1".into(), &"sent".into())
    );
}
