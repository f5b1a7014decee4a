//! The log levels of a running gateway, changed by the command line and the management API.

use harmony_tests::site::echo;
use harmony_tests::{Gateway, InProcessGateway, client, control_plane::ControlPlane, eventually, get};
use serde_json::{Value, json};

use super::{configuration, run};

#[tokio::test]
async fn levels_change_at_run_time() {
    let (dir, port, _) = configuration(&echo("api", "/v0"));
    let gateway = Gateway::spawn(&dir.config(), &["--log", "warn"]);
    // No line says that it is ready at this level.
    eventually("the gateway serves", || get(format!("http://127.0.0.1:{port}/v0"))).await;
    let level = async |arguments: &[&str]| {
        run(&dir.config(), dir.path(), &[&["log-level"], arguments].concat()).await
    };
    let edit = async |from: &str, to: &str| {
        dir.edit("config.toml", from, to);
        eventually("the edit is live", || async {
            let status = get(format!("http://127.0.0.1:{port}{to}")).await.unwrap().status();
            if status == 200 { Ok(()) } else { Err(status) }
        })
        .await;
    };
    assert_eq!(level(&[]).await.assert(0, &[]).text, "warn\n");
    edit("/v0", "/v1").await;
    level(&["harmony_host::apply=info"])
        .await
        .assert(0, &["warn\nharmony_host::apply=info\n", "at the start: warn"]);
    edit("/v1", "/v2").await;
    gateway.wait_for_log("configuration applied generation=3").await;
    assert!(!gateway.log().contains("generation=2"), "{}", gateway.log());
    level(&["error", "--for", "1h"]).await.assert(0, &["error\n", "from 20"]);
    level(&["--reset"]).await.assert(0, &["warn\n"]);
    edit("/v2", "/v3").await;
    level(&["INFO"]).await.assert(0, &["info\n"]);
    gateway.wait_for_log("the log levels were changed").await;
    assert!(!gateway.log().contains("generation=4"), "{}", gateway.log());
    let json: Value = serde_json::from_str(&level(&["--json"]).await.assert(0, &[]).text).unwrap();
    assert_eq!(json, json!({ "directives": ["info"], "at_start": ["warn"], "until": null }));
}

#[tokio::test]
async fn levels_return_after_their_time() {
    let (dir, _, _) = configuration("");
    let mut gateway = Gateway::start(&dir.config()).await;
    let shown = run(&dir.config(), dir.path(), &["log-level", "debug", "--for", "1s"]).await;
    shown.assert(0, &["debug\n", "info"]);
    gateway.wait_for_log("the log has the levels of the start again").await;
    assert_eq!(run(&dir.config(), dir.path(), &["log-level"]).await.text, "info\n");
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn wrong_levels_change_nothing() {
    let (dir, _, admin) = configuration("");
    let _gateway = Gateway::start(&dir.config()).await;
    for (wrong, error) in [
        ("dbug", "did you mean `debug`?"),
        ("harmony-host=debug", "did you mean `harmony_host`?"),
        ("harmony_host::sync", "has no level"),
        ("harmony_host=9", "is not a level"),
    ] {
        run(&dir.config(), dir.path(), &["log-level", "h2=off", wrong]).await.assert(2, &[error]);
    }
    run(&dir.config(), dir.path(), &["log-level", "debug", "--for", "8000h"])
        .await
        .assert(2, &["more than a week"]);
    let url = format!("http://127.0.0.1:{admin}/admin/log");
    for body in [json!({}), json!({ "set": 7 }), json!({ "set": vec!["a=debug"; 65] })] {
        let answer = client().post(&url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{body}");
    }
    assert_eq!(client().delete(&url).send().await.unwrap().headers()["allow"], "GET, HEAD, POST");
    assert_eq!(run(&dir.config(), dir.path(), &["log-level"]).await.text, "info\n");
}

/// Each change of the levels is in the audit log with its author, also that of a signal and that before a wrong level.
#[tokio::test]
async fn changes_of_levels_are_recorded() {
    let (dir, _, _) = configuration("");
    let gateway = Gateway::start(&dir.config()).await;
    gateway.signal("USR2").await;
    gateway.wait_for_log("SIGUSR2: the log has the levels info,harmony_host=debug,provider=debug").await;
    gateway.signal("USR1").await;
    gateway.wait_for_log("SIGUSR1: ").await;
    let level = async |arguments: &[&str]| {
        run(&dir.config(), dir.path(), &[&["log-level"], arguments].concat()).await
    };
    level(&["--reset", "dbug"]).await.assert(2, &["did you mean"]);
    level(&["warn", "--for", "1h"]).await.assert(0, &["warn"]);
    let records = eventually("the records", || async {
        let shown = run(&dir.config(), dir.path(), &["audit", "--json"]).await.assert(0, &[]).text;
        let all: Vec<Value> = serde_json::from_str(&shown).unwrap();
        let levels: Vec<_> = all.into_iter().filter(|record| record["event"] == "log").collect();
        if levels.len() == 3 { Ok(levels) } else { Err(levels) }
    })
    .await;
    let levels: Vec<&Value> = records.iter().map(|record| &record["levels"]).collect();
    assert_eq!(levels, ["info,harmony_host=debug,provider=debug", "info", "warn"]);
    assert_eq!(records[0]["by"], json!({ "kind": "signal", "name": "SIGUSR2" }));
    assert_eq!(records[1]["by"]["kind"], "peer");
    assert_eq!((records[1]["until"].is_null(), records[2]["until"].is_string()), (true, true));
    assert!(records.iter().all(|record| record["verdict"] == "done"), "{records:?}");
}

/// An application that keeps its subscriber to itself says so.
#[tokio::test]
async fn levels_are_the_applications() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let answer = get(gateway.admin_url("/admin/log")).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "disabled");
}
