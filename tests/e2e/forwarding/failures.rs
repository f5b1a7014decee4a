//! What a client is told when the way to the server behind does not work, or is not there.

use harmony_tests::site::{BASE, echo, forward, pipeline};
use harmony_tests::{Raw, RawServer, Site, Upstream, Workdir, client, free_port, full};
use http::{Method, Response, StatusCode};
use reqwest::Body;
use serde_json::Value;

use super::{http2, to};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// A gateway whose backend has these keys beside its URL.
async fn with(base_url: &str, keys: &str) -> Site {
    let backend = format!("service = \"http\"\noptions.base_url = \"{base_url}\"\n{keys}");
    Site::serving(&pipeline("api", "/api", &backend)).await
}

#[tokio::test]
async fn a_backend_that_refuses_connections_is_a_bad_gateway_and_its_address_stays_here() {
    let nobody = free_port();
    let site = to(&format!("http://127.0.0.1:{nobody}")).await;
    let answer = client().post(site.url("/api")).body("x").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let text = answer.text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["error"], "bad_gateway");
    assert!(text.contains("`api`") && !text.contains(&nobody.to_string()), "{text}");
}

#[tokio::test]
async fn a_backend_that_says_nothing_is_a_gateway_timeout_and_is_not_asked_again() {
    let upstream = RawServer::writing(|_| None).await;
    let site = with(&upstream.url(), "timeout_secs = 1").await;
    let answer = client().get(site.url("/api")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "gateway_timeout");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_backend_that_does_not_speak_http_is_a_bad_gateway() {
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
async fn an_answer_that_breaks_off_is_never_a_complete_answer() {
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

#[tokio::test]
async fn an_answer_that_falls_silent_in_the_middle_breaks_off() {
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

/// How often the server behind was asked, and what the client got, when only the last of `refusals` + 1
/// connections is answered.
async fn asked(method: Method, body: Option<&'static str>, refusals: usize, keys: &str) -> (usize, u16) {
    let upstream = RawServer::writing(move |n| Some(if n < refusals { "" } else { OK }.to_owned())).await;
    let site = with(&upstream.url(), keys).await;
    let mut request = client().request(method, site.url("/api"));
    if let Some(body) = body {
        request = request.body(body);
    }
    let status = request.send().await.unwrap().status().as_u16();
    (upstream.requests().len(), status)
}

#[tokio::test]
async fn what_may_be_repeated_is_tried_again_when_the_backend_closes_without_an_answer() {
    assert_eq!(asked(Method::GET, None, 1, "").await, (2, 200));
    assert_eq!(asked(Method::DELETE, None, 1, "").await, (2, 200));
    assert_eq!(asked(Method::GET, None, 3, "").await, (4, 200));
    assert_eq!(asked(Method::GET, None, 9, "").await, (4, 502));
    assert_eq!(asked(Method::GET, None, 9, "max_retries = 1").await, (2, 502));
    assert_eq!(asked(Method::GET, None, 1, "max_retries = 0").await, (1, 502));
}

#[tokio::test]
async fn what_may_not_be_repeated_or_was_sent_already_is_asked_once() {
    assert_eq!(asked(Method::POST, Some("body"), 1, "").await, (1, 502));
    assert_eq!(asked(Method::POST, None, 1, "").await, (1, 502));
    assert_eq!(asked(Method::PATCH, Some("body"), 1, "").await, (1, 502));
    assert_eq!(asked(Method::PUT, Some("body"), 1, "").await, (1, 502));
}

#[tokio::test]
async fn an_error_that_the_backend_answers_with_is_its_answer() {
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

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_its_length_is_said_or_not() {
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
    assert_eq!(upstream.requests().len(), 4, "what is too large never arrives whole");
}

#[tokio::test]
async fn a_body_that_says_it_is_over_the_limit_is_refused_before_any_of_it_is_read() {
    let upstream = Upstream::with_body("answered").await;
    let config = format!("{BASE}[proxy.content_limits]\nmax_body_size = 1024\n");
    let site = Site::with(&(config + &forward("api", "/api", &upstream.url())), Workdir::new()).await;
    let head = "POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1025\r\nConnection: close\r\n\r\n";
    assert_eq!(Raw::send(site.port, head).await.status(), 413);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn the_limit_of_a_body_holds_for_an_echo_as_well() {
    let config = format!("{BASE}[proxy.content_limits]\nmax_body_size = 1024\n{}", echo("echo", "/echo"));
    let site = Site::with(&config, Workdir::new()).await;
    for (size, status) in [(1024, 200), (1025, 413)] {
        let answer = client().post(site.url("/echo")).body("x".repeat(size)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{size}");
    }
}

#[tokio::test]
async fn methods_that_are_not_for_gateways_are_not_allowed() {
    let upstream = Upstream::with_body("answered").await;
    let site = Site::serving(&forward("all", "/", &upstream.url())).await;
    for request in ["CONNECT 127.0.0.1:22", "TRACE /", "TRACE /anything"] {
        let text = format!("{request} HTTP/1.1\r\nHost: 127.0.0.1:22\r\nConnection: close\r\n\r\n");
        assert_eq!(Raw::send(site.port, text).await.status(), 405, "{request}");
    }
    assert!(upstream.requests().is_empty());
}

/// RFC 9110, section 15.5.6: an answer 405 must say which methods are allowed.
#[tokio::test]
async fn an_answer_that_a_method_is_not_allowed_says_which_are() {
    let site = to("http://127.0.0.1:9").await;
    let trace = client().request(Method::TRACE, site.url("/api")).send().await.unwrap();
    let put = client().put(site.admin_url("/admin/info")).send().await.unwrap();
    for answer in [trace, put] {
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.headers().contains_key("allow"), "{} has no Allow", answer.url());
    }
}

#[tokio::test]
async fn a_request_that_comes_back_to_the_gateway_again_and_again_is_a_loop() {
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

#[tokio::test]
async fn a_pipeline_that_needs_what_is_not_built_in_is_answered_501_and_never_served_without_it() {
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
        assert!(warned, "{lacks} was not said when the configuration was loaded");
    }
    assert!(upstream.requests().is_empty());
    let open = "[authentications.key]\nmethod = \"none\"\n";
    let site = Site::serving(&(good + secured + open)).await;
    assert_eq!(client().get(site.url("/api/x")).send().await.unwrap().text().await.unwrap(), "answered");
}
