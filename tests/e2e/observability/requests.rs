//! The metrics of requests: each moves when the thing happens.

use harmony_tests::site::{BASE, echo, forward, ingress, mesh, pipeline};
use harmony_tests::{Forged, Metrics, Raw, RawServer, Upstream, client, free_port, get};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::observability::Observed;

#[tokio::test]
async fn requests_are_counted_by_route_and_class() {
    let upstream = Upstream::with_body("hello").await;
    let sections = echo("fhir", "/fhir") + &forward("up", "/up", &format!("http://{}", upstream.address()));
    let observed = Observed::start(&format!("{BASE}{sections}"), &[]).await;
    for _ in 0..3 {
        assert_eq!(observed.status("/up/x").await, 200);
    }
    assert_eq!(observed.status("/fhir").await, 200);
    assert_eq!(observed.status("/nothing").await, 404);
    let of = |pipeline: &'static str| [("pipeline", pipeline), ("network", "public")];
    let metrics = Metrics::until(observed.admin, "all are counted", |metrics| {
        metrics.get("harmony_requests_total", &of("(none)")) == 1.0
            && metrics.get("harmony_requests_total", &of("up")) == 3.0
    })
    .await;
    let labels = [("pipeline", "up"), ("route", "up"), ("class", "2xx"), ("network", "public")];
    assert_eq!(metrics.get("harmony_requests_total", &labels), 3.0);
    assert_eq!(metrics.get("harmony_requests_total", &[("pipeline", "fhir"), ("class", "2xx")]), 1.0);
    assert_eq!(metrics.get("harmony_request_duration_seconds_count", &[("pipeline", "up")]), 3.0);
    assert_eq!(metrics.get("harmony_backend_duration_seconds_count", &[("pipeline", "up")]), 3.0);
    assert_eq!(metrics.find("harmony_backend_duration_seconds_count", &[("pipeline", "fhir")]), None);
    assert_eq!(metrics.refused("no_route"), 1.0);
    let management = [("pipeline", "(management)"), ("class", "2xx")];
    let scrapes = |metrics: &Metrics| metrics.get("harmony_requests_total", &management) >= 1.0;
    Metrics::until(observed.admin, "the scrapes are counted too", scrapes).await;
}

/// Each wrong mesh token has a reason of its own, and the pipeline that it was for.
#[tokio::test]
async fn refused_mesh_tokens_have_a_reason() {
    let url = "http://127.0.0.1:PORT/fhir";
    let sections = echo("fhir", "/fhir") + &ingress("fhir", "api", url, "mesh") + &mesh("clinic", "api");
    let observed = Observed::start(&format!("{BASE}{sections}"), &[]).await;
    let valid = || Forged::of("clinic");
    let cases = [
        ("mesh_token_signature", valid().signed_with(b"another secret of more than 32 bytes").jwt()),
        ("mesh_token_expired", valid().shifted(-3600).jwt()),
        ("mesh_token_not_yet_valid", valid().shifted(3600).jwt()),
        ("mesh_token_issuer", valid().claim("iss", json!("other")).jwt()),
        ("mesh_token_mesh", valid().claim("mesh_id", json!("other")).jwt()),
        ("mesh_token_subject", valid().claim("sub", json!(" ")).jwt()),
        ("mesh_token_audience", valid().claim("aud", json!("https://other.example/r4")).jwt()),
        ("mesh_token_malformed", valid().unsigned()),
    ];
    for (reason, token) in &cases {
        let response = client().get(observed.url("/fhir")).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), 403, "{reason}");
        let metrics = Metrics::of(observed.admin).await;
        assert_eq!(metrics.refused(reason), 1.0, "{reason}: {}", response.text().await.unwrap());
    }
    assert_eq!(observed.status("/fhir").await, 403);
    let metrics = Metrics::of(observed.admin).await;
    assert_eq!(metrics.refused("mesh_token_missing"), 1.0);
    let of_pipeline = [("pipeline", "fhir"), ("route", "api"), ("class", "4xx")];
    let all = cases.len() as f64 + 1.0;
    // The ingress URL has the port of the listener, so the route is that of the ingress.
    assert_eq!(metrics.get("harmony_requests_total", &of_pipeline), all, "{}", metrics.text());
    let response = client().get(observed.url("/fhir")).bearer_auth(valid().jwt()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    for (reason, _) in &cases {
        observed.gateway.wait_for_log(&format!("reason=\"{reason}\"")).await;
    }
}

/// A dead, a broken and a silent backend differ in the kind of their failures.
#[tokio::test]
async fn failures_of_backends_have_a_kind() {
    let broken = RawServer::writing(|_| Some("nonsense\r\n\r\n".to_owned())).await;
    let silent = RawServer::writing(|_| None).await;
    let sections = forward("dead", "/dead", &format!("http://127.0.0.1:{}", free_port()))
        + &forward("broken", "/broken", &broken.url())
        + &pipeline(
            "silent",
            "/silent",
            &format!("service = \"http\"\noptions.base_url = \"{}\"\ntimeout_secs = 1", silent.url()),
        );
    let observed = Observed::start(&format!("{BASE}{sections}"), &[]).await;
    for (name, status, kind, reason) in [
        ("dead", 502, "unreachable", "backend_unreachable"),
        ("broken", 502, "invalid", "backend_invalid"),
        ("silent", 504, "timeout", "backend_timeout"),
    ] {
        assert_eq!(observed.status(&format!("/{name}/x?token=1")).await, status, "{name}");
        let metrics = Metrics::of(observed.admin).await;
        let labels = [("pipeline", name), ("backend", name), ("kind", kind)];
        let attempts = 1.0 + metrics.get("harmony_backend_retries_total", &[("pipeline", name)]);
        assert_eq!(metrics.get("harmony_backend_failures_total", &labels), attempts, "{}", metrics.text());
        assert_eq!(metrics.refused(reason), 1.0);
        let line = format!("pipeline=\"{name}\" backend=\"{name}\" path=\"/{name}/x\" request_id=");
        observed.gateway.wait_for_log(&line).await;
    }
    assert!(!observed.gateway.log().contains("token=1"), "the query may hold a secret");
}

/// Answers of the gateway itself, from the head of a request to its body.
#[tokio::test]
async fn refused_requests_are_counted_by_reason() {
    let config = BASE.replace("[proxy]\n", "[proxy]\ncontent_limits.max_body_size = 1024\n");
    let sections = echo("fhir", "/fhir") + &pipeline("dicom", "/dicom", "service = \"dicom_scu\"");
    let observed = Observed::start(&format!("{config}{sections}"), &[]).await;
    let raw = |head: &str| Raw::send(observed.port, format!("{head}\r\nConnection: close\r\n\r\n"));
    for (head, status, reason) in [
        ("TRACE /fhir HTTP/1.1\r\nHost: a", 405, "method_not_allowed"),
        ("GET /fhir HTTP/1.1\r\nHost: a:b", 400, "bad_request"),
        ("GET /fhir HTTP/1.1\r\nHost: a\r\nno colon", 400, "malformed_head"),
        ("GET /dicom HTTP/1.1\r\nHost: a", 501, "not_implemented"),
    ] {
        assert_eq!(raw(head).await.status(), status, "{head}");
        Metrics::until(observed.admin, reason, |metrics| metrics.refused(reason) == 1.0).await;
    }
    let body = client().post(observed.url("/fhir")).body("x".repeat(1025)).send().await.unwrap();
    assert_eq!(body.status(), 413);
    Metrics::until(observed.admin, "413", |metrics| metrics.refused("body_too_large") == 1.0).await;
    let large = format!("GET /fhir HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(200_000));
    assert_eq!(raw(&large).await.status(), 431);
    Metrics::until(observed.admin, "431", |metrics| metrics.refused("head_too_large") == 1.0).await;
    let many = (0..501).map(|n| format!("\r\nX-{n}: 1")).collect::<String>();
    assert_eq!(raw(&format!("GET /fhir HTTP/1.1\r\nHost: a{many}")).await.status(), 431);
    let management =
        |request: &str| Raw::send(observed.admin, format!("{request}\r\nConnection: close\r\n\r\n"));
    let nothing = management("GET /admin/nothing HTTP/1.1\r\nHost: localhost").await;
    let stranger = management("GET /admin/info HTTP/1.1\r\nHost: evil.example").await;
    assert_eq!((nothing.status(), stranger.status()), (404, 403));
    let metrics = Metrics::of(observed.admin).await;
    assert_eq!((metrics.refused("management_rejected"), metrics.refused("management_forbidden")), (1.0, 1.0));
}

#[tokio::test]
async fn connections_and_bytes_are_counted() {
    let observed = Observed::start(&format!("{BASE}{}", echo("fhir", "/fhir")), &[]).await;
    let labels = [("network", "public")];
    let before = Metrics::of(observed.admin).await;
    let accepted = before.get("harmony_connections_accepted_total", &labels);
    let mut open = TcpStream::connect(("127.0.0.1", observed.port)).await.unwrap();
    let request =
        format!("POST /fhir HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(5000));
    open.write_all(request.as_bytes()).await.unwrap();
    let mut some = [0; 512];
    assert!(open.read(&mut some).await.unwrap() > 0);
    let metrics = Metrics::of(observed.admin).await;
    assert_eq!(metrics.get("harmony_connections_accepted_total", &labels), accepted + 1.0);
    assert_eq!(metrics.get("harmony_connections_open", &labels), 1.0);
    let received = |metrics: &Metrics| metrics.get("harmony_received_bytes_total", &labels);
    assert_eq!(received(&metrics) - received(&before), request.len() as f64);
    // The echo repeats the body.
    let sent = |metrics: &Metrics| metrics.get("harmony_sent_bytes_total", &labels);
    Metrics::until(observed.admin, "the response was sent", |metrics| sent(metrics) - sent(&before) > 5000.0)
        .await;
    drop(open);
    Metrics::until(observed.admin, "closed", |metrics| {
        metrics.get("harmony_connections_open", &labels) == 0.0
    })
    .await;
}

/// A client that leaves before the response, and a request that is in flight until then.
#[tokio::test]
async fn a_client_that_leaves_is_counted() {
    let silent = RawServer::writing(|_| None).await;
    let sections = forward("slow", "/slow", &silent.url());
    let observed = Observed::start(&format!("{BASE}{sections}"), &[]).await;
    let mut open = TcpStream::connect(("127.0.0.1", observed.port)).await.unwrap();
    open.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let in_flight = |metrics: &Metrics| metrics.get("harmony_requests_in_flight", &[("network", "public")]);
    Metrics::until(observed.admin, "in flight", |metrics| in_flight(metrics) == 1.0).await;
    drop(open);
    let gone = [("pipeline", "slow"), ("class", "none")];
    let left =
        |metrics: &Metrics| metrics.get("harmony_requests_total", &gone) == 1.0 && in_flight(metrics) == 0.0;
    Metrics::until(observed.admin, "the client has left", left).await;
}

/// 31 000 requests for a dead backend in a row: a line a second, with the number of the others.
#[tokio::test]
async fn a_dead_backend_gives_few_lines() {
    const REQUESTS: usize = 31_000;
    let sections = forward("dead", "/dead", &format!("http://127.0.0.1:{}", free_port()));
    let once = sections.replace("[backends.dead]\n", "[backends.dead]\noptions.max_retries = 0\n");
    let observed = Observed::start(&format!("{BASE}{once}"), &[]).await;
    let start = tokio::time::Instant::now();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let url = observed.url("/dead");
            tokio::spawn(async move {
                let client = client();
                for _ in 0..REQUESTS / 8 {
                    assert_eq!(client.get(&url).send().await.unwrap().status(), 502);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let seconds = start.elapsed().as_secs() as usize + 2;
    let metrics = Metrics::until(observed.admin, "all are counted", |metrics| {
        metrics.refused("backend_unreachable") == REQUESTS as f64
    })
    .await;
    assert_eq!(metrics.get("harmony_requests_total", &[("pipeline", "dead")]), REQUESTS as f64);
    let log = observed.gateway.log();
    let (warnings, refusals) =
        (log.matches("the backend failed").count(), log.matches("was refused").count());
    assert!((1..=seconds).contains(&warnings) && (1..=seconds).contains(&refusals), "{seconds} s:\n{log}");
    // Each line tells how many have none.
    let unlogged = |what: &str| -> usize {
        let lines = log.lines().filter(|line| line.contains(what));
        let counts = lines.filter_map(|line| line.rsplit_once("unlogged=")?.1.parse::<usize>().ok());
        counts.sum()
    };
    assert!(unlogged("the backend failed") + warnings <= REQUESTS, "{log}");
}

/// A pipeline keeps its counters over an edit of itself and of others, and loses its series when it is gone.
#[tokio::test]
async fn series_follow_the_configuration() {
    let observed =
        Observed::start(&format!("{BASE}{}", echo("fhir", "/fhir") + &echo("old", "/old")), &[]).await;
    assert_eq!((observed.status("/fhir").await, observed.status("/old").await), (200, 200));
    let config = observed.dir.read("config.toml");
    let edited = config.replace("/fhir", "/other").replace(&echo("old", "/old"), "");
    observed.dir.replace("config.toml", &edited);
    let metrics = Metrics::until(observed.admin, "the edit is live", |metrics| {
        metrics.get("harmony_configuration_generation", &[]) == 2.0
    })
    .await;
    assert!(!metrics.text().contains("\"old\""), "{}", metrics.text());
    assert_eq!(metrics.get("harmony_requests_total", &[("pipeline", "fhir")]), 1.0);
    assert_eq!(get(observed.url("/other")).await.unwrap().status(), 200);
    let twice = |metrics: &Metrics| metrics.get("harmony_requests_total", &[("pipeline", "fhir")]) == 2.0;
    Metrics::until(observed.admin, "the counters go on", twice).await;
}
