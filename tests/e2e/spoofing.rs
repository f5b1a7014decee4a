//! Spoofing: requests by which a client speaks for a proxy, or that the gateway and a backend could read differently.

mod hosts;
mod http2;
mod lengths;

use harmony_tests::site::forward;
use harmony_tests::{Raw, RawServer, Site};

/// Starts a gateway that forwards all requests to a server that records raw bytes.
async fn recorded() -> (RawServer, Site) {
    let upstream =
        RawServer::writing(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned())).await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    (upstream, site)
}

/// The last request, in lower case.
fn last(upstream: &RawServer) -> String {
    upstream.requests().pop().expect("a request").to_ascii_lowercase()
}

/// The lines of a request that contain `text`.
fn lines<'r>(request: &'r str, text: &str) -> Vec<&'r str> {
    request.lines().filter(|line| line.contains(text)).collect()
}

/// Headers that CGI, WSGI and Rack take for those of a proxy, and the one that CGI programs send their requests through.
#[tokio::test]
async fn claims_in_any_spelling_are_removed() {
    let (upstream, site) = recorded().await;
    for name in [
        "X-Real-IP",
        "X_Real_IP",
        "x_real-ip",
        "X.Real.IP",
        "X_Forwarded_For",
        "X-Forwarded_For",
        "X_Forwarded_Proto",
        "X_Forwarded_Host",
        "X-Forwarded-Port",
        "X-Forwarded-Ssl",
        "X-Forwarded-Scheme",
        "X-Forwarded-Server",
        "X-Forwarded-Prefix",
        "X-Forwarded",
        "Forwarded-For",
        "Forwarded_For",
        "True-Client-IP",
        "X-Original-Forwarded-For",
        "X-ProxyUser-Ip",
        "X-Envoy-External-Address",
        "X-Client-IP",
        "CF-Connecting-IP",
        "X-Cluster-Client-Ip",
        "X-Original-URL",
        "X_Rewrite_Url",
        "Front-End-Https",
        "Proxy",
        "Proxy_Authorization",
        "Content_Length",
        "Transfer_Encoding",
        "X_Harmony_Probe",
    ] {
        let text = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{name}: 6.6.6.6\r\nX_Own: 1\r\nX-Request-Id: 2\r\n\
             Connection: close\r\n\r\n"
        );
        assert_eq!(Raw::send(site.port, text).await.status(), 200, "{name}");
        let arrived = last(&upstream);
        assert!(!arrived.contains("6.6.6.6"), "{name}: {arrived}");
        assert!(arrived.contains("x_own: 1") && arrived.contains("x-request-id: 2"), "{arrived}");
    }
}

/// Servers may merge trailers into the headers.
#[tokio::test]
async fn claims_in_trailers_are_removed() {
    let (upstream, site) = recorded().await;
    for name in [
        "X-Forwarded-For",
        "X-Real-IP",
        "X_Real_IP",
        "Via",
        "Forwarded",
        "Host",
        "Authorization",
        "Content-Length",
        "Transfer-Encoding",
        "Cookie",
        "X-Forwarded-Prefix",
        "X-Harmony-Probe",
    ] {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: {name}, X-Digest\r\n\
             Connection: close\r\n\r\n3\r\nabc\r\n0\r\n{name}: 6.6.6.6\r\nX-Digest: 1\r\n\r\n"
        );
        assert_eq!(Raw::send(site.port, text).await.status(), 200, "{name}");
        let arrived = last(&upstream);
        assert!(!arrived.contains("6.6.6.6"), "{name}: {arrived}");
        assert!(arrived.contains("x-digest: 1"), "{arrived}");
    }
}

/// An element that does not end would swallow the one that the gateway appends.
#[tokio::test]
async fn the_own_element_is_the_last_one() {
    let (upstream, site) = recorded().await;
    let own = format!("for=127.0.0.1;host=\"localhost:{}\";proto=http", site.port);
    for (header, expected) in [
        ("Forwarded: for=\"", own.clone()),
        ("Forwarded: for=\"6.6.6.6", own.clone()),
        ("Forwarded: for=\"6.6.6.6\\\"", own.clone()),
        ("Forwarded: for=6.6.6.6;by=\"\\", own.clone()),
        ("Forwarded: for=\"\u{e9}", own.clone()),
        ("Forwarded: for=6.6.6.6\r\nForwarded: for=\"", own.clone()),
        ("Forwarded: for=\"\r\nForwarded: for=1.2.3.4", format!("for=1.2.3.4, {own}")),
        ("Forwarded: for=\"[::1]:8\";by=x, for=1.2.3.4", format!("for=\"[::1]:8\";by=x, for=1.2.3.4, {own}")),
    ] {
        let text = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{}\r\n{header}\r\nConnection: close\r\n\r\n",
            site.port
        );
        assert_eq!(Raw::send(site.port, text).await.status(), 200, "{header:?}");
        let arrived = last(&upstream);
        assert_eq!(lines(&arrived, "forwarded: "), [format!("forwarded: {expected}")], "{header:?}");
    }
    for (header, line) in [
        ("X-Forwarded-For: \"6.6.6.6", "x-forwarded-for: 127.0.0.1"),
        ("X-Forwarded-For: 6.6.6.6\u{e9}", "x-forwarded-for: 127.0.0.1"),
        ("Via: 1.1 a (", "via: 1.1 harmony"),
        ("Via: 1.1 \"a", "via: 1.1 harmony"),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\n\r\n");
        assert_eq!(Raw::send(site.port, text).await.status(), 200, "{header:?}");
        let name = line.split(' ').next().unwrap();
        assert_eq!(lines(&last(&upstream), name), [line], "{header:?}");
    }
}

/// One option that is no name does not keep the others.
#[tokio::test]
async fn connection_options_are_removed_beside_bad_ones() {
    let (upstream, site) = recorded().await;
    for options in [
        &b"x-hop, \xe9"[..],
        b"\xe9, x-hop",
        b"x-hop;q=1, X-Hop",
        b"\"x\", x-hop",
        b",,x-hop,,",
        b"a b, x-hop",
    ] {
        let mut text = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Hop: 6.6.6.6\r\nConnection: ".to_vec();
        text.extend_from_slice(options);
        text.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
        assert_eq!(Raw::send(site.port, text).await.status(), 200, "{options:?}");
        assert!(!last(&upstream).contains("6.6.6.6"), "{options:?}");
    }
}
