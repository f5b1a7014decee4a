//! Failures of the upstream and limits of requests, as the client sees them.

use harmony_tests::site::{BASE, echo, forward, pipeline};
use harmony_tests::{Raw, RawServer, Site, Upstream, Workdir, client, free_port, full};
use http::{Method, Response, StatusCode};
use reqwest::Body;
use serde_json::Value;

use super::{http2, to};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// Starts a gateway whose backend has these keys besides its URL.
async fn with(base_url: &str, keys: &str) -> Site {
    let backend = format!("service = \"http\"\noptions.base_url = \"{base_url}\"\n{keys}");
    Site::serving(&pipeline("api", "/api", &backend)).await
}

/// A backend that refuses connections is 502, without its address in the response.
#[tokio::test]
async fn a_refused_connection_is_502() {
    let unused = free_port();
    let site = to(&format!("http://127.0.0.1:{unused}")).await;
    let answer = client().post(site.url("/api")).body("x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let text = answer.text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["error"], "bad_gateway");
    assert!(text.contains("`api`") && !text.contains(&unused.to_string()), "{text}");
}

/// A body that is no valid HTTP is the client's fault. The backend is not blamed for it.
#[tokio::test]
async fn a_malformed_body_is_400() {
    let upstream = Upstream::with_body("answered").await;
    for body in ["-3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n", "3\r\nabcXX0\r\n", "3\r\nabc\r\nzz\r\n"] {
        let site = to(&upstream.url()).await;
        let request =
            format!("POST /api HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        let answer = Raw::send(site.port, request).await;
        assert_eq!(answer.status(), 400, "{body:?}: {}", answer.0);
        assert!(!answer.body().contains("backend"), "{}", answer.0);
    }
}

/// A backend that does not respond is 504, without a retry.
#[tokio::test]
async fn an_unresponsive_backend_is_504() {
    let upstream = RawServer::writing(|_| None).await;
    let site = with(&upstream.url(), "timeout_secs = 1").await;
    let answer = client().get(site.url("/api")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "gateway_timeout");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_backend_without_http_is_502() {
    for garbage in
        ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"]
    {
        let upstream = RawServer::writing(move |_| Some(garbage.to_owned())).await;
        let site = with(&upstream.url(), "max_retries = 0").await;
        let status = client().get(site.url("/api")).send().await.unwrap().status();
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{garbage}");
    }
}

#[tokio::test]
async fn a_truncated_response_stays_incomplete() {
    for part in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf of it\r\n",
    ] {
        let upstream = RawServer::writing(move |_| Some(part.to_owned())).await;
        let site = to(&upstream.url()).await;
        for client in [client(), http2()] {
            let answer = client.get(site.url("/api")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let body = answer.bytes().await;
            assert!(body.is_err(), "{part}: {body:?}");
        }
    }
}

/// A body that is malformed from its first byte: the client gets the head and sees that the body is missing.
#[tokio::test]
async fn a_broken_first_chunk_stays_incomplete() {
    for body in ["", "zz\r\n", "-1\r\nx\r\n", "\u{1}"] {
        let part = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Own: a\r\n\r\n{body}");
        let upstream = RawServer::writing(move |_| Some(part.clone())).await;
        let site = to(&upstream.url()).await;
        let answer = Raw::get(site.port, "localhost", "/api").await;
        assert_eq!(answer.status(), 200, "{body:?}");
        assert!(answer.head().contains("x-own: a") && answer.body().is_empty(), "{body:?}: {}", answer.0);
        let status = client().get(site.url("/api")).send().await.unwrap();
        assert!(status.bytes().await.is_err(), "{body:?}");
        let answer = http2().get(site.url("/api")).send().await;
        let received = match answer {
            Ok(answer) => answer.bytes().await,
            Err(error) => Err(error),
        };
        assert!(received.is_err(), "{body:?}");
    }
}

#[tokio::test]
async fn a_stalled_response_is_cut_off() {
    let upstream = Upstream::streaming(|_| async {
        let (hold, body) = tokio::sync::mpsc::channel(1);
        hold.send("half").await.unwrap();
        let body = super::streams::chunked(body);
        tokio::spawn(async move {
            let _hold = hold;
            std::future::pending::<()>().await;
        });
        Response::new(body)
    })
    .await;
    let site = with(&upstream.url(), "timeout_secs = 1").await;
    let mut answer = client().get(site.url("/api")).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "half");
    assert!(answer.chunk().await.is_err());
}

/// Sends a request to an upstream that closes the first `failures` connections without a response. Returns the number
/// of attempts and the status for the client.
async fn attempts(method: Method, body: Option<&'static str>, failures: usize, keys: &str) -> (usize, u16) {
    let upstream = RawServer::writing(move |n| Some(if n < failures { "" } else { OK }.to_owned())).await;
    let site = with(&upstream.url(), keys).await;
    let mut request = client().request(method, site.url("/api"));
    if let Some(body) = body {
        request = request.body(body);
    }
    let status = request.send().await.unwrap().status().as_u16();
    (upstream.requests().len(), status)
}

/// A request that may be repeated is retried when the backend closes the connection without a response.
#[tokio::test]
async fn idempotent_requests_are_retried() {
    assert_eq!(attempts(Method::GET, None, 1, "").await, (2, 200));
    assert_eq!(attempts(Method::DELETE, None, 1, "").await, (2, 200));
    assert_eq!(attempts(Method::GET, None, 3, "").await, (4, 200));
    assert_eq!(attempts(Method::GET, None, 9, "").await, (4, 502));
    assert_eq!(attempts(Method::GET, None, 9, "max_retries = 1").await, (2, 502));
    assert_eq!(attempts(Method::GET, None, 1, "max_retries = 0").await, (1, 502));
}

#[tokio::test]
async fn other_requests_are_not_retried() {
    assert_eq!(attempts(Method::POST, Some("body"), 1, "").await, (1, 502));
    assert_eq!(attempts(Method::POST, None, 1, "").await, (1, 502));
    assert_eq!(attempts(Method::PATCH, Some("body"), 1, "").await, (1, 502));
    assert_eq!(attempts(Method::PUT, Some("body"), 1, "").await, (1, 502));
}

#[tokio::test]
async fn an_error_of_the_backend_is_forwarded() {
    let upstream = Upstream::with_handler(|_| async {
        Response::builder().status(503).header("retry-after", "7").body(full("down")).unwrap()
    })
    .await;
    let site = to(&upstream.url()).await;
    let answer = client().get(site.url("/api")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.text().await.unwrap(), "down");
    assert_eq!(upstream.requests().len(), 1);
}

/// A body over the limit is 413, with and without a Content-Length.
#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let upstream = RawServer::writing(|_| Some(OK.to_owned())).await;
    let config = format!("{BASE}[proxy.content_limits]\nmax_body_size = 1024\n");
    let site = Site::with(&(config + &forward("api", "/api", &upstream.url())), Workdir::new()).await;
    for client in [client(), http2()] {
        for (size, status) in [(1024, 200), (1025, 413), (100_000, 413)] {
            let text = "x".repeat(size);
            let streamed = Body::wrap_stream(futures_util::stream::iter(
                text.clone()
                    .into_bytes()
                    .chunks(512)
                    .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
                    .collect::<Vec<_>>(),
            ));
            for body in [Body::from(text.clone()), streamed] {
                let answer = client.post(site.url("/api")).body(body).send().await.unwrap();
                assert_eq!(answer.status(), status, "{size}");
            }
        }
    }
    assert_eq!(upstream.requests().len(), 4, "an oversized body never arrives complete");
}

/// A Content-Length over the limit is 413 before any of the body is read.
#[tokio::test]
async fn a_content_length_over_the_limit_is_413() {
    let upstream = Upstream::with_body("answered").await;
    let config = format!("{BASE}[proxy.content_limits]\nmax_body_size = 1024\n");
    let site = Site::with(&(config + &forward("api", "/api", &upstream.url())), Workdir::new()).await;
    let head = "POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1025\r\nConnection: close\r\n\r\n";
    assert_eq!(Raw::send(site.port, head).await.status(), 413);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn the_body_limit_applies_to_an_echo() {
    let config = format!("{BASE}[proxy.content_limits]\nmax_body_size = 1024\n{}", echo("echo", "/echo"));
    let site = Site::with(&config, Workdir::new()).await;
    for (size, status) in [(1024, 200), (1025, 413)] {
        let answer = client().post(site.url("/echo")).body("x".repeat(size)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{size}");
    }
}

#[tokio::test]
async fn connect_and_trace_are_405() {
    let upstream = Upstream::with_body("answered").await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    for request in ["CONNECT 127.0.0.1:22", "TRACE /", "TRACE /anything"] {
        let text = format!("{request} HTTP/1.1\r\nHost: 127.0.0.1:22\r\nConnection: close\r\n\r\n");
        assert_eq!(Raw::send(site.port, text).await.status(), 405, "{request}");
    }
    assert!(upstream.requests().is_empty());
}

/// RFC 9110, section 15.5.6, requires an Allow header in a 405.
#[tokio::test]
async fn a_405_has_an_allow_header() {
    let site = to("http://127.0.0.1:9").await;
    let trace = client().request(Method::TRACE, site.url("/api")).send().await.unwrap();
    let put = client().put(site.admin_url("/admin/info")).send().await.unwrap();
    for answer in [trace, put] {
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.headers().contains_key("allow"), "{} has no Allow", answer.url());
    }
}

#[tokio::test]
async fn a_forwarding_loop_is_508() {
    let site = Site::serving("").await;
    let config =
        site.dir.read("config.toml") + &forward("loop", "/", &format!("http://127.0.0.1:{}", site.port));
    site.dir.replace("config.toml", &config);
    site.host.reload().await;
    let answer = client().get(site.url("/around")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::LOOP_DETECTED);
    let once = client().get(site.url("/x")).header("via", "1.1 a, 1.1 b".repeat(9)).send().await.unwrap();
    assert_eq!(once.status(), StatusCode::LOOP_DETECTED);
}

/// A pipeline that needs an unsupported feature is 501, and is never served without the feature.
#[tokio::test]
async fn unsupported_features_are_501() {
    let upstream = Upstream::with_body("answered").await;
    let good = forward("api", "/api", &upstream.url());
    let transform = "[middleware.shape]\ntype = \"transform\"\n";
    let secured = "authentication = \"authentications.key\"\n";
    let method = "[authentications.key]\nmethod = \"api_key\"\n";
    let target = format!("[targets.t]\nconnection.host = \"{}\"\n{secured}{method}", upstream.url());
    let edit = |from: &str, to: &str| good.replacen(from, to, 1);
    for (sections, lacks) in [
        (edit("[endpoints", "middleware = [\"shape\"]\n[endpoints") + transform, "middleware `transform`"),
        (edit("service = \"http\"", "service = \"fhir\""), "endpoint service `fhir`"),
        (pipeline("api", "/api", "service = \"dicom_scu\""), "backend service `dicom_scu`"),
        (
            edit("[backends", &format!("{secured}[backends")) + method,
            "authentication `key` of endpoint `api`",
        ),
        (good.clone() + secured + method, "authentication `key` of backend `api`"),
        (
            pipeline("api", "/api", "service = \"http\"\ntarget_ref = \"t\"") + &target,
            "authentication `key` of target",
        ),
        (good.clone() + "options.headers = { a = \"b\" }\n", "option `headers`"),
        (
            pipeline("api", "/api", "service = \"http\"\nconnection = { host = \"h\", protocol = \"ftp\" }"),
            "`ftp`",
        ),
    ] {
        let site = Site::serving(&sections).await;
        let answer = client().get(site.url("/api/x")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_IMPLEMENTED, "{sections}");
        let message = answer.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(lacks), "{message}");
        let warned = site.host.snapshot().warnings().iter().any(|warning| warning.message.contains(lacks));
        assert!(warned, "there was no warning of {lacks} when the configuration was loaded");
    }
    assert!(upstream.requests().is_empty());
    let open = "[authentications.key]\nmethod = \"none\"\n";
    let site = Site::serving(&(good + secured + open)).await;
    assert_eq!(client().get(site.url("/api/x")).send().await.unwrap().text().await.unwrap(), "answered");
}
