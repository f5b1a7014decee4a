//! The export of spans to a collector.

use std::time::Duration;

use harmony_tests::site::{BASE, echo, forward, ingress, mesh};
use harmony_tests::{
    Collector, Exported, Forged, Gateway, Metrics, Span, Upstream, Workdir, client, eventually, free_port,
};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::observability::Observed;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const CANARY: &str = "canary-7f3a91c2d4e5b608";

/// A gateway that exports to `endpoint`, with a backend that answers and one that is dead.
async fn exporting(endpoint: &str, upstream: &Upstream, more: &[&str]) -> Observed {
    let sections = forward("up", "/up", &upstream.url())
        + &forward("dead", "/dead", &format!("http://127.0.0.1:{}", free_port()))
        + &echo("fhir", "/fhir")
        + &ingress("fhir", "api", "http://127.0.0.1:PORT/fhir", "mesh")
        + &mesh("clinic", "api");
    let arguments = [&["--otlp-endpoint", endpoint], more].concat();
    Observed::start(&format!("{BASE}{sections}"), &arguments).await
}

/// The server span of a request without a trace of its own, whose request id is the trace id.
async fn sent(collector: &Collector, url: String, bearer: Option<&str>, count: usize) -> Vec<Span> {
    let request = client().get(url);
    let request = match bearer {
        Some(bearer) => request.bearer_auth(bearer),
        None => request,
    };
    let response = request.send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    response.bytes().await.unwrap();
    collector.trace(&id, count).await
}

fn server(spans: &[Span]) -> &Span {
    spans.iter().find(|span| span.is_server()).expect("a server span")
}

#[tokio::test]
async fn a_trace_goes_through_the_gateway() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &[]).await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let request = client().get(observed.url("/up/a?b=c")).header("traceparent", traceparent);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let spans = collector.trace(TRACE, 2).await;
    let (request, attempt) = (server(&spans), spans.iter().find(|span| span.is_client()).unwrap());
    assert_eq!(request.parent(), PARENT);
    assert_eq!(attempt.parent(), request.id());
    let seen = upstream.last_request().headers["traceparent"].to_str().unwrap().to_owned();
    assert_eq!(
        seen,
        format!("00-{TRACE}-{}-01", attempt.id()),
        "the backend continues the span of its attempt"
    );
    let port = upstream.address().port().to_string();
    for (span, key, value) in [
        (request, "http.request.method", "GET"),
        (request, "http.response.status_code", "200"),
        (request, "url.scheme", "http"),
        (request, "server.address", "127.0.0.1"),
        (request, "network.protocol.version", "1.1"),
        (request, "client.address", "127.0.0.1"),
        (request, "harmony.pipeline", "up"),
        (request, "harmony.network", "public"),
        (request, "harmony.generation", "1"),
        (attempt, "http.response.status_code", "200"),
        (attempt, "server.address", "127.0.0.1"),
        (attempt, "server.port", &port),
    ] {
        assert_eq!(span.attribute(key).as_deref(), Some(value), "{key}: {span:?}");
    }
    assert_eq!((request.name.as_str(), attempt.name.as_str()), ("GET up", "GET"));
    assert!(!request.is_error() && !attempt.is_error());
    assert!(request.start_time_unix_nano <= attempt.start_time_unix_nano);
    assert!(attempt.start_time_unix_nano < attempt.end_time_unix_nano);
    assert!(attempt.end_time_unix_nano <= request.end_time_unix_nano);
    assert_eq!(collector.resource("service.name").as_deref(), Some("harmony"));
    assert_eq!(collector.resource("service.instance.id").as_deref(), Some("site"));
}

#[tokio::test]
async fn a_dead_backend_is_an_error() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &[]).await;
    let spans = sent(&collector, observed.url("/dead"), None, 3).await;
    let request = server(&spans);
    assert!(request.is_error());
    assert_eq!(request.attribute("http.response.status_code").as_deref(), Some("502"));
    assert_eq!(request.attribute("error.type").as_deref(), Some("backend_unreachable"));
    let attempts: Vec<_> = spans.iter().filter(|span| span.is_client()).collect();
    assert!(attempts.len() > 1, "it was tried again");
    for (number, attempt) in attempts.iter().enumerate() {
        assert!(attempt.is_error());
        assert_eq!(attempt.attribute("error.type").as_deref(), Some("unreachable"));
        assert_eq!(attempt.parent(), request.id());
        let resends = attempt.attribute("http.request.resend_count");
        assert_eq!(resends, (number > 0).then(|| number.to_string()));
    }
}

#[tokio::test]
async fn a_refusal_has_its_reason() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &[]).await;
    let forged = Forged::of("clinic").signed_with(b"another secret of more than 32 bytes").jwt();
    let spans = sent(&collector, observed.url("/fhir"), Some(&forged), 1).await;
    let request = server(&spans);
    assert_eq!(request.attribute("harmony.reason").as_deref(), Some("mesh_token_signature"));
    assert_eq!(request.attribute("http.response.status_code").as_deref(), Some("403"));
    assert!(!request.is_error(), "a 4xx is no error of the server");
}

#[tokio::test]
async fn the_mark_of_the_client_decides() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &["--otlp-sample", "0"]).await;
    let unmarked = format!("00-{}-{PARENT}-00", TRACE.replace('4', "5"));
    client().get(observed.url("/up")).header("traceparent", unmarked).send().await.unwrap();
    assert!(upstream.last_request().headers["traceparent"].to_str().unwrap().ends_with("-00"));
    client().get(observed.url("/up")).send().await.unwrap();
    let seen = upstream.last_request().headers["traceparent"].to_str().unwrap().to_owned();
    assert!(seen.ends_with("-00"), "the backend records as the gateway does: {seen}");
    let marked = format!("00-{TRACE}-{PARENT}-01");
    client().get(observed.url("/up")).header("traceparent", marked).send().await.unwrap();
    collector.trace(TRACE, 2).await;
    assert_eq!(collector.spans().len(), 2);
}

#[tokio::test]
async fn canaries_are_in_no_span() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &[]).await;
    let token = Forged::of("clinic").jwt();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let paths = ["/up", "/dead", "/fhir", "/nothing"];
    for path in paths {
        let request = client()
            .post(observed.url(&format!("{path}/{CANARY}?password={CANARY}")))
            .bearer_auth(&token)
            .header("traceparent", &traceparent)
            .header("tracestate", format!("a={CANARY}"))
            .header("cookie", CANARY)
            .header("user-agent", CANARY)
            .body(CANARY);
        request.send().await.unwrap();
    }
    eventually("a span of each request", || async {
        let count = collector.spans().iter().filter(|span| span.is_server()).count();
        if count == paths.len() { Ok(()) } else { Err(count) }
    })
    .await;
    for request in collector.requests() {
        let text = String::from_utf8_lossy(&request.body);
        assert!(!text.contains(CANARY) && !text.contains(&token), "{text}");
    }
}

/// An outage of the collector: the batch is sent again.
#[tokio::test]
async fn a_batch_is_sent_again() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &[]).await;
    collector.answer(503);
    let response = client().get(observed.url("/up")).send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    observed.gateway.wait_for_log("the collector answered 503").await;
    collector.answer(200);
    assert_eq!(collector.trace(&id, 2).await.len(), 2);
    let metrics = Metrics::of(observed.admin).await;
    assert_eq!(metrics.get("harmony_otlp_dropped_spans_total", &[]), 0.0);
    observed.gateway.wait_for_log("spans are exported again").await;
}

#[tokio::test]
async fn rejected_spans_are_counted() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let observed = exporting(&collector.url(), &upstream, &[]).await;
    collector.answer(401);
    for _ in 0..5 {
        assert_eq!(observed.status("/up").await, 200);
    }
    // The scrapes are requests too.
    let all = |metrics: &Metrics| metrics.get("harmony_otlp_dropped_spans_total", &[]) >= 10.0;
    Metrics::until(observed.admin, "all are counted", all).await;
    assert_eq!(observed.gateway.log().matches("spans cannot be exported").count(), 1);
}

/// A collector that refuses connections, and one that accepts them and is silent.
#[tokio::test]
async fn a_collector_that_is_away_holds_nothing() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    for port in [free_port(), silent.local_addr().unwrap().port()] {
        let upstream = Upstream::with_body("x").await;
        let mut observed = exporting(&format!("http://127.0.0.1:{port}"), &upstream, &[]).await;
        let client = client();
        let start = Instant::now();
        for _ in 0..300 {
            assert_eq!(client.get(observed.url("/up")).send().await.unwrap().status(), 200);
        }
        // Far below 300 times any deadline of the export.
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        observed.gateway.signal("TERM").await;
        let start = Instant::now();
        assert_eq!(observed.gateway.exit_code().await, 0);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        let log = observed.gateway.log();
        assert!(log.matches("spans cannot be exported").count() <= 1, "{log}");
    }
}

#[tokio::test]
async fn the_last_spans_are_sent() {
    let (collector, upstream) = (Collector::start().await, Upstream::with_body("x").await);
    let mut observed = exporting(&collector.url(), &upstream, &[]).await;
    for _ in 0..20 {
        assert_eq!(observed.status("/up").await, 200);
    }
    observed.gateway.signal("TERM").await;
    assert_eq!(observed.gateway.exit_code().await, 0);
    assert_eq!(collector.spans().len(), 40);
}

/// The headers of the environment reach the collector, and no log.
#[tokio::test]
async fn headers_come_from_the_environment() {
    let collector = Collector::start().await;
    let dir = Workdir::new();
    let port = free_port();
    let config = format!("{BASE}{}", echo("fhir", "/fhir"));
    dir.write("config.toml", &harmony_tests::site::on_ports(&config, port, free_port()));
    let list = format!("authorization=Bearer%20{CANARY}");
    let url = collector.url();
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*url), ("OTEL_EXPORTER_OTLP_HEADERS", &*list)];
    let arguments = ["--log", "trace"];
    let mut gateway =
        Gateway::spawn_program(&harmony_tests::binary(), &dir.config(), &arguments, &environment);
    gateway.wait_until_ready().await;
    client().get(format!("http://127.0.0.1:{port}/fhir")).send().await.unwrap();
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
    let requests = collector.requests();
    assert_eq!(requests[0].headers["authorization"], format!("Bearer {CANARY}"));
    assert!(!gateway.log().contains(CANARY));
}

#[tokio::test]
async fn a_wrong_option_is_refused_without_its_secret() {
    let dir = Workdir::new();
    for (endpoint, sample) in
        [(format!("http://user:{CANARY}@collector"), "1"), ("http://collector".to_owned(), "2")]
    {
        let arguments = ["--otlp-endpoint", &endpoint, "--otlp-sample", sample];
        let mut gateway = Gateway::spawn(&dir.config(), &arguments);
        assert_eq!(gateway.exit_code().await, 2);
        let log = gateway.log();
        assert!(log.contains("--otlp-") && !log.contains(CANARY), "{log}");
    }
}
