//! The scrape itself: who may, its form, its size, and its labels.

use std::io::Write as _;
use std::process::{Command, Stdio};

use harmony_tests::site::{BASE, echo, pipeline};
use harmony_tests::{Metrics, Raw, Site, client, get};

use crate::observability::Observed;

const TOKEN: &str = "0123456789abcdef0123456789abcdef-management";

/// Has `promtool` check a scrape. A machine without it leaves it out; with `HARMONY_TEST_SERVERS` set, as in CI, that is a
/// failure.
fn check(metrics: &Metrics) {
    let command = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = command else {
        assert!(std::env::var_os("HARMONY_TEST_SERVERS").is_none(), "promtool is not installed");
        eprintln!("left out: promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(metrics.text().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{}", metrics.text());
}

#[tokio::test]
async fn promtool_accepts_a_scrape() {
    let observed =
        Observed::start(&format!("{BASE}{}", echo("fhir", "/fhir")), &["--access-log", "json"]).await;
    for path in ["/fhir", "/nothing"] {
        observed.status(path).await;
    }
    check(&Metrics::of(observed.admin).await);
}

/// A network with a pipeline has `/metrics` for the pipeline; the path below the base path stays.
#[tokio::test]
async fn the_root_belongs_to_the_pipelines_of_the_network() {
    let site = Site::serving(&echo("fhir", "/fhir")).await;
    for path in ["/metrics", "/admin/metrics"] {
        let response = get(site.admin_url(path)).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.text().await.unwrap().contains("\nharmony_build_info{"), "{path}");
    }
    let head = client().head(site.admin_url("/metrics")).send().await.unwrap();
    let post = client().post(site.admin_url("/metrics")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), post.status().as_u16()), (200, 405));
    let shared = echo("all", "/").replace("\"public\"", "\"management\"");
    let site = Site::serving(&shared).await;
    let root = get(site.admin_url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(root.contains("\"pipeline\":\"all\""), "{root}");
    assert_eq!(get(site.admin_url("/admin/metrics")).await.unwrap().status(), 200);
    assert_eq!(get(site.url("/metrics")).await.unwrap().status(), 404, "not on another network");
}

/// Unlike `/health`, the metrics are for operators only.
#[tokio::test]
async fn strangers_get_no_metrics() {
    let config = BASE
        .replace("network = \"management\"\n", &format!("network = \"management\"\ntoken = \"{TOKEN}\"\n"));
    let site = Site::with(&config, harmony_tests::Workdir::new()).await;
    let ask = |lines: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{lines}Connection: close\r\n\r\n");
        Raw::send(site.admin, request)
    };
    // A proxy on this machine speaks for others.
    let proxied = ask("X-Forwarded-For: 203.0.113.7\r\n").await;
    assert_eq!(proxied.status(), 401, "{}", proxied.0);
    let with_token = format!("X-Forwarded-For: 203.0.113.7\r\nAuthorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&with_token).await.status(), 200);
    assert_eq!(ask("").await.status(), 200);
}

/// Whatever clients send, it makes no series.
#[tokio::test]
async fn labels_are_bounded_under_a_flood() {
    let observed = Observed::start(&format!("{BASE}{}", echo("fhir", "/fhir")), &[]).await;
    let flood = async |from: usize| {
        for n in from..from + 300 {
            let head = format!(
                "M{n} /path-{n}?q={n} HTTP/1.1\r\nHost: host-{n}.example\r\nUser-Agent: agent-{n}\r\nX-Request-Id: id-{n}"
            );
            Raw::send(observed.port, format!("{head}\r\nConnection: close\r\n\r\n")).await;
            let known =
                format!("GET /fhir/{n} HTTP/1.1\r\nHost: host-{n}.example\r\nConnection: close\r\n\r\n");
            assert_eq!(Raw::send(observed.port, known).await.status(), 200);
        }
    };
    flood(0).await;
    let before = Metrics::of(observed.admin).await.count();
    flood(1000).await;
    let metrics = Metrics::of(observed.admin).await;
    assert_eq!(metrics.count(), before);
    for text in ["path-", "host-", "agent-", "id-", "M10"] {
        assert!(!metrics.text().contains(text), "{text}");
    }
    assert_eq!(
        metrics.get("harmony_requests_total", &[("pipeline", "(none)"), ("network", "public")]),
        600.0
    );
}

/// A thousand pipelines that have all served requests.
#[tokio::test]
async fn a_thousand_pipelines_are_scraped() {
    const PIPELINES: usize = 1000;
    let sections: String =
        (0..PIPELINES).map(|n| pipeline(&format!("p{n}"), &format!("/p{n}"), "service = \"echo\"")).collect();
    let observed = Observed::start(&format!("{BASE}{sections}"), &[]).await;
    let client = client();
    for n in 0..PIPELINES {
        assert_eq!(client.get(observed.url(&format!("/p{n}"))).send().await.unwrap().status(), 200);
    }
    let all = |metrics: &Metrics| {
        (0..PIPELINES).all(|n| {
            metrics.get("harmony_requests_total", &[("pipeline", &format!("p{n}")), ("class", "2xx")]) == 1.0
        })
    };
    let metrics = Metrics::until(observed.admin, "all pipelines", all).await;
    assert_eq!(metrics.get("harmony_configuration_pipelines", &[]), PIPELINES as f64);
    check(&metrics);
}
