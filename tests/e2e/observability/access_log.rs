//! The access log of the real binary.

use std::fs;
use std::path::PathBuf;

use harmony_tests::site::{BASE, echo, forward};
use harmony_tests::{Metrics, Upstream, Workdir, client, eventually, free_port};
use serde_json::Value;

use crate::observability::Observed;

/// A gateway with an access log in a file, a backend that answers and one that is dead.
struct Logged {
    observed: Observed,
    file: PathBuf,
    upstream: Upstream,
}

impl Logged {
    async fn start(format: &str, more: &[&str]) -> Self {
        let dir = Workdir::new();
        let file = dir.path().join("access.log");
        let upstream = Upstream::with_body("hello").await;
        let config = BASE.replace("[proxy]\n", "[proxy]\ntrusted_proxies = [\"127.0.0.1\"]\n");
        let sections = forward("up", "/up", &format!("http://{}", upstream.address()))
            + &forward("dead", "/dead", &format!("http://127.0.0.1:{}", free_port()))
            + &echo("fhir", "/fhir");
        let path = file.display().to_string();
        let mut arguments = vec!["--access-log", format, "--access-log-file", &path];
        arguments.extend(more);
        let observed = Observed::start_in(dir, &format!("{config}{sections}"), &arguments).await;
        Self { observed, file, upstream }
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a number of lines that contain `what`, and returns them.
    async fn wait_for(&self, count: usize, what: &str) -> Vec<String> {
        eventually(&format!("{count} lines with {what}"), || async {
            let lines: Vec<_> = self.lines().into_iter().filter(|line| line.contains(what)).collect();
            if lines.len() == count { Ok(lines) } else { Err(self.lines()) }
        })
        .await
    }
}

#[tokio::test]
async fn a_line_has_what_happened() {
    let logged = Logged::start("json", &[]).await;
    let response = client()
        .post(logged.observed.url("/up/a%20b?token=canary"))
        .header("x-request-id", "first")
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.7")
        .body("12345678")
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "hello");
    let lines = logged.wait_for(1, "\"first\"").await;
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    for (field, value) in [
        ("method", Value::from("POST")),
        ("path", "/up/a%20b".into()),
        ("status", 200.into()),
        ("network", "public".into()),
        ("pipeline", "up".into()),
        ("endpoint", "up".into()),
        ("client", "203.0.113.7".into()),
        ("bytes_in", 8.into()),
        ("bytes_out", 5.into()),
        ("backend", format!("http://{}", logged.upstream.address()).into()),
        ("attempts", 1.into()),
        ("reason", Value::Null),
        ("complete", true.into()),
        ("generation", 1.into()),
    ] {
        assert_eq!(line[field], value, "{field}: {line}");
    }
    let trace = logged.upstream.last_request().headers["traceparent"].to_str().unwrap().to_owned();
    assert_eq!(line["trace_id"], trace[3..35]);
    let (whole, backend) = (line["duration_ms"].as_f64().unwrap(), line["backend_ms"].as_f64().unwrap());
    assert!(whole >= backend && backend > 0.0, "{line}");

    assert_eq!(logged.observed.status("/dead").await, 502);
    let line: Value = serde_json::from_str(&logged.wait_for(1, "\"dead\"").await[0]).unwrap();
    assert_eq!((&line["reason"], &line["status"]), (&"backend_unreachable".into(), &502.into()), "{line}");
    assert!(line["attempts"].as_u64().unwrap() > 1, "{line}");
    assert!(!fs::read_to_string(&logged.file).unwrap().contains("canary"), "the query may hold a secret");
}

/// The client is that of X-Forwarded-For, else that of Forwarded, passing over trusted proxies from the end.
#[tokio::test]
async fn a_line_names_the_client_behind_proxies() {
    let logged = Logged::start("json", &[]).await;
    let forwarded = "for=6.6.6.6, for=\"[2001:db8::7]:4711\";proto=https, for=127.0.0.1;by=127.0.0.1";
    for (id, headers, client_address) in [
        ("rfc-7239", &[("forwarded", forwarded)][..], "2001:db8::7"),
        ("both", &[("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "203.0.113.7")], "203.0.113.7"),
        ("hidden", &[("forwarded", "for=203.0.113.8, for=\"")], "127.0.0.1"),
        ("none", &[], "127.0.0.1"),
    ] {
        let request = client().get(logged.observed.url("/fhir")).header("x-request-id", id);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(request.send().await.unwrap().status(), 200);
        let line: Value = serde_json::from_str(&logged.wait_for(1, &format!("\"{id}\"")).await[0]).unwrap();
        assert_eq!(line["client"], client_address, "{id}");
    }
}

/// Thousands of requests at once, in both formats: each has a line, or is counted as lost.
#[tokio::test]
async fn nothing_is_lost_silently() {
    for format in ["json", "common"] {
        let logged = Logged::start(format, &[]).await;
        let clients: Vec<_> = (0..8)
            .map(|at| {
                let url = logged.observed.url(&format!("/fhir/load-{at}"));
                tokio::spawn(async move {
                    let client = client();
                    for _ in 0..500 {
                        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        let lost = Metrics::of(logged.observed.admin).await.get("harmony_access_log_lost_total", &[]);
        let lines = logged.wait_for(4000 - lost as usize, "/fhir/load-").await;
        for line in &lines {
            match format {
                "json" => drop(serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"))),
                _ => assert!(line.contains("] \"GET /fhir/load-") && line.contains("\" 200 "), "{line}"),
            }
        }
    }
}

/// A log that nobody reads: requests go on, and what does not fit is counted.
#[tokio::test]
async fn a_log_that_cannot_be_written_holds_no_request() {
    let dir = Workdir::new();
    let (config, full) = (format!("{BASE}{}", echo("fhir", "/fhir")), ["--access-log-file", "/dev/full"]);
    let arguments = [&["--access-log", "json"], &full[..]].concat();
    let observed = Observed::start_in(dir, &config, &arguments).await;
    for _ in 0..50 {
        assert_eq!(observed.status("/fhir").await, 200);
    }
    let lost = |metrics: &Metrics| metrics.get("harmony_access_log_lost_total", &[]) >= 50.0;
    Metrics::until(observed.admin, "all are counted", lost).await;
    observed.gateway.wait_for_log("the access log cannot be written").await;
}

#[tokio::test]
async fn a_sample_has_every_error() {
    let logged = Logged::start("json", &["--access-log-sample", "1000"]).await;
    for _ in 0..20 {
        assert_eq!(logged.observed.status("/fhir").await, 200);
        assert_eq!(logged.observed.status("/nothing").await, 404);
    }
    logged.wait_for(20, "\"status\":404").await;
    let successes = logged.lines().iter().filter(|line| line.contains("\"status\":200")).count();
    assert!(successes <= 1, "{successes}");
}

/// logrotate renames the file and sends SIGHUP.
#[tokio::test]
async fn a_rotated_file_is_opened_again() {
    let logged = Logged::start("common", &[]).await;
    logged.observed.status("/fhir/before").await;
    logged.wait_for(1, "/fhir/before").await;
    let old = logged.file.with_extension("1");
    fs::rename(&logged.file, &old).unwrap();
    logged.observed.gateway.signal("HUP").await;
    eventually("the file is there again", || async {
        if logged.file.exists() { Ok(()) } else { Err("it is not") }
    })
    .await;
    logged.observed.status("/fhir/after").await;
    logged.wait_for(1, "/fhir/after").await;
    let (old, new) = (fs::read_to_string(old).unwrap(), fs::read_to_string(&logged.file).unwrap());
    assert!(old.contains("/fhir/before") && !old.contains("/fhir/after") && !new.contains("/fhir/before"));
}

/// The last lines are written when the gateway stops.
#[tokio::test]
async fn the_last_lines_are_written() {
    let mut logged = Logged::start("json", &[]).await;
    for _ in 0..20 {
        assert_eq!(logged.observed.status("/fhir/last").await, 200);
    }
    logged.observed.gateway.signal("TERM").await;
    assert_eq!(logged.observed.gateway.exit_code().await, 0);
    assert_eq!(logged.lines().iter().filter(|line| line.contains("/fhir/last")).count(), 20);
}
