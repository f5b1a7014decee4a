//! The end of a gateway: load balancers turn away first, requests in flight finish, a second signal ends at once.

use harmony_tests::site::{echo, forward};
use harmony_tests::{Gateway, Upstream, Workdir, client, eventually, full};
use http::Response;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};

use super::{configuration, run};

/// A gateway with a request in flight, which ends when a message is sent.
struct Busy {
    gateway: Gateway,
    port: u16,
    admin: u16,
    request: tokio::task::JoinHandle<reqwest::Result<reqwest::Response>>,
    release: broadcast::Sender<()>,
    dir: Workdir,
    _upstream: Upstream,
}

impl Busy {
    async fn with(arguments: &[&str]) -> Self {
        let (started, mut starts) = mpsc::channel(1);
        let (release, _) = broadcast::channel::<()>(1);
        let released = release.clone();
        let upstream = Upstream::with_handler(move |_| {
            let (started, mut released) = (started.clone(), released.subscribe());
            async move {
                started.send(()).await.unwrap();
                let _ = released.recv().await;
                Response::new(full("finished"))
            }
        })
        .await;
        let sections = forward("slow", "/slow", &upstream.url()) + &echo("quick", "/quick");
        let (dir, port, admin) = configuration(&sections);
        let mut gateway = Gateway::spawn(&dir.config(), arguments);
        gateway.wait_until_ready().await;
        let request = tokio::spawn(client().get(format!("http://127.0.0.1:{port}/slow")).send());
        starts.recv().await.unwrap();
        Self { gateway, port, admin, request, release, dir, _upstream: upstream }
    }

    async fn health(&self, path: &str) -> (u16, Value) {
        let url = format!("http://127.0.0.1:{}{path}", self.admin);
        let answer = client().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// While load balancers notice that the gateway is not ready, it serves; then it drains.
#[tokio::test]
async fn requests_are_served_until_balancers_turn_away() {
    let mut busy = Busy::with(&["--lame-duck", "2s"]).await;
    run(&busy.dir.config(), busy.dir.path(), &["health"]).await.assert(0, &["ready"]);
    busy.gateway.signal("TERM").await;
    busy.gateway.wait_for_log("stopping in 2 s").await;
    let stopping = json!({ "ready": false, "state": "stopping" });
    for path in ["/health/ready", "/admin/health/ready"] {
        assert_eq!(busy.health(path).await, (503, stopping.clone()), "{path}");
    }
    assert_eq!(busy.health("/health").await, (503, json!({ "live": true, "ready": false })));
    assert_eq!(busy.health("/health/live").await, (200, json!({ "live": true })));
    let quick = client().get(format!("http://127.0.0.1:{}/quick", busy.port)).send().await.unwrap();
    assert_eq!(quick.status(), 200, "new requests are served");
    // The other commands still find the gateway.
    run(&busy.dir.config(), busy.dir.path(), &["status"]).await.assert(0, &["in sync"]);
    busy.gateway.wait_for_log("waiting for requests in flight in_flight=1").await;
    busy.release.send(()).unwrap();
    assert_eq!(busy.request.await.unwrap().unwrap().text().await.unwrap(), "finished");
    assert_eq!(busy.gateway.exit_code().await, 0, "{}", busy.gateway.log());
    assert!(busy.gateway.log().contains("stopped; no request was in flight"), "{}", busy.gateway.log());
}

/// A health check of a container tells a gateway that is about to stop from one that is not there.
#[tokio::test]
async fn health_checks_have_exit_codes() {
    let (dir, _, _) = configuration(&echo("quick", "/quick"));
    run(&dir.config(), dir.path(), &["health"]).await.assert(5, &["no gateway"]);
    let mut gateway = Gateway::spawn(&dir.config(), &["--lame-duck", "1h"]);
    gateway.wait_until_ready().await;
    run(&dir.config(), dir.path(), &["health"]).await.assert(0, &["ready"]);
    gateway.signal("INT").await;
    gateway.wait_for_log("stopping in 1 h").await;
    run(&dir.config(), dir.path(), &["health"]).await.assert(12, &["not ready: stopping"]);
    run(&dir.config(), dir.path(), &["health", "--live"]).await.assert(0, &["live"]);
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0, "{}", gateway.log());
}

/// The requests in flight are counted while the gateway waits for them; a second signal ends it with the count.
#[tokio::test]
async fn second_signal_ends_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM"), ("TERM", "INT")] {
        let mut busy = Busy::with(&["--drain-secs", "3600"]).await;
        busy.gateway.signal(first).await;
        busy.gateway.wait_for_log("stopping; waiting for requests in flight in_flight=1").await;
        if first == "INT" {
            busy.gateway.wait_for_log("still waiting for requests in flight in_flight=1").await;
        }
        busy.gateway.signal(second).await;
        assert_eq!(busy.gateway.exit_code().await, 6, "{}", busy.gateway.log());
        assert!(busy.request.await.unwrap().is_err());
        let log = busy.gateway.log();
        assert!(log.contains("a second signal to stop; ending at once"), "{log}");
        assert!(log.contains("stopped while requests were in flight in_flight=1"), "{log}");
    }
}

#[tokio::test]
async fn durations_are_checked() {
    let (dir, _, _) = configuration("");
    for wrong in ["soon", "-5s", "999999h"] {
        let argument = format!("--lame-duck={wrong}");
        run(&dir.config(), dir.path(), &["run", &argument]).await.assert(2, &["expected"]);
    }
}

/// SIGUSR1 and SIGUSR2 end nothing: one logs the status whatever the filter, the other switches between the levels.
#[tokio::test]
async fn user_signals_show_the_state() {
    let (dir, port, _) = configuration(&echo("quick", "/quick"));
    let mut gateway = Gateway::spawn(&dir.config(), &["--log", "warn,harmony_host::cli=info"]);
    gateway.wait_until_ready().await;
    gateway.signal("USR1").await;
    gateway.wait_for_log("INFO SIGUSR1: in sync; generation 1 with 1 pipeline; requests in flight: 0").await;
    gateway.signal("USR2").await;
    gateway.wait_for_log("harmony_host=debug").await;
    dir.replace("config.toml", &dir.read("config.toml").replace("/quick", "/other"));
    eventually("the edit is live", || async {
        let status = client().get(format!("http://127.0.0.1:{port}/other")).send().await.unwrap().status();
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
    gateway.wait_for_log("configuration applied").await;
    gateway.signal("USR2").await;
    gateway.wait_for_log("SIGUSR2: the log has the levels warn,harmony_host::cli=info").await;
    assert!(gateway.is_running());
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
}
