//! The target of a request, and the hosts in it and beside it.

use harmony_tests::{Raw, client};

use super::recorded;

/// RFC 9112, section 3.2: 400 for an HTTP/1.1 request without a Host header, with several, or with an invalid one.
#[tokio::test]
async fn an_absolute_url_does_not_replace_the_host() {
    let (upstream, site) = recorded().await;
    let (port, admin) = (site.port, site.admin);
    for hosts in [
        "",
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: a.example\r\nHost: b.example\r\n",
        "Host: \r\n",
        "Host: a b\r\n",
        "Host: a/x\r\n",
        "Host: user@a\r\n",
        "Host: a:http\r\n",
        "Host: a:65536\r\n",
        "Host: a, b\r\n",
        "Host: \u{e9}\r\n",
        "Host: :80\r\n",
    ] {
        let text = format!("GET http://localhost/x HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        assert_eq!(Raw::send(port, &text).await.status(), 400, "{hosts:?}");
        let text = format!("GET http://127.0.0.1/admin/info HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        assert_eq!(Raw::send(admin, &text).await.status(), 400, "{hosts:?}");
    }
    assert_eq!(upstream.requests(), [""; 0]);
    let text = "GET http://localhost/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(Raw::send(port, text).await.status(), 200);
    let text = "GET http://localhost/x HTTP/1.0\r\n\r\n";
    assert!(Raw::send(port, text).await.0.contains(" 200 OK"), "HTTP/1.0 has no Host header");
    assert!(client().get(site.admin_url("/admin/info")).send().await.unwrap().status().is_success());
}

/// Only a path, or a URL of http or https, is a target for a web server.
#[tokio::test]
async fn other_targets_are_400() {
    let (upstream, site) = recorded().await;
    for target in [
        "b.example:80",
        "b.example",
        "localhost:443",
        "ftp://localhost/x",
        "gopher://localhost",
        "ws://localhost/x",
        "file://localhost/etc/passwd",
        "?x",
        "x",
        "*",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            assert_eq!(Raw::send(site.port, text).await.status(), 400, "{method} {target}");
        }
    }
    assert_eq!(upstream.requests(), [""; 0]);
}
