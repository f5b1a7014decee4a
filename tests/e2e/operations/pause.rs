//! Pause and resume: changes of the control plane wait, everything else goes on, and the status says why.

use std::sync::Arc;
use std::time::Duration;

use harmony_host::Status as GatewayStatus;
use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{
    GatewayProcess, InProcessGateway, InProcessGatewayOptions, OffsetClock, client, eventually, get,
};
use serde_json::{Value, json};

use super::{Ran, run};

async fn on(process: &GatewayProcess, arguments: &[&str]) -> Ran {
    run(&process.dir.config(), process.home.path(), arguments).await
}

/// Waits until the gateway knows of `count` changes that wait.
async fn wait_for_waiting(process: &GatewayProcess, count: u64) -> Value {
    eventually(&format!("{count} waiting changes"), || async {
        let status = process.provider_status().await;
        if status["sync"]["waiting"] == count { Ok(status) } else { Err(status["sync"].clone()) }
    })
    .await
}

#[tokio::test]
async fn changes_wait_for_the_end_of_a_pause() {
    let cloud = ControlPlane::start().await;
    let mut process = GatewayProcess::following(&cloud).await;
    process.wait_for_sync().await;
    let paused = on(&process, &["pause", "--reason", "release 7 breaks logins"]).await;
    paused.assert(0, &["the sync is paused", "`harmony-host resume`"]);
    on(&process, &["status"]).await.assert(
        0,
        &["in sync", "PAUSED", "by olivia (127.0.0.1), until `harmony-host resume`: release 7 breaks logins"],
    );
    let changes =
        ["one", "two"].map(|name| cloud.put_document("edge", "pipeline", &echo(name, &format!("/{name}"))));
    let status = wait_for_waiting(&process, 2).await;
    assert_eq!(status["in_sync"], false);
    assert_eq!(status["sync"]["not_taken"][0]["reason"], "the sync is paused", "{status}");
    let reason = status["reason"].as_str().unwrap();
    for words in
        ["is paused since", "olivia", "release 7 breaks logins", "2 changes wait", "harmony-host resume"]
    {
        assert!(reason.contains(words), "{reason}");
    }
    // `sync` looks at the list, and says why it takes nothing.
    on(&process, &["sync"])
        .await
        .assert(11, &["not taken pipeline", "the sync is paused", "release 7 breaks logins"]);
    on(&process, &["status"]).await.assert(7, &["NOT in sync", "2 changes wait for `harmony-host resume`"]);
    // Edits of the operator apply.
    process.dir.write("pipelines/own.toml", &echo("own", "/own"));
    eventually("the edit is live", || async {
        let code = process.status_code("/own").await;
        if code == 200 { Ok(()) } else { Err(code) }
    })
    .await;
    // The pause holds over a kill.
    process.kill().await;
    process.restart().await;
    process.gateway.wait_for_log("release 7 breaks logins").await;
    wait_for_waiting(&process, 2).await;
    for change in &changes {
        assert_eq!(cloud.view(change).status, Status::Pending, "not even acknowledged");
    }
    assert_eq!(process.status_code("/one").await, 404);
    on(&process, &["resume"]).await.assert(0, &["the sync goes on", "olivia", "release 7 breaks logins"]);
    for change in &changes {
        assert_eq!(cloud.wait_until_settled(change).await.status, Status::Applied);
    }
    process.wait_for_sync().await;
    let status = process.provider_status().await;
    assert_eq!((&status["paused"], &status["sync"]["waiting"]), (&Value::Null, &json!(0)));
    on(&process, &["resume"]).await.assert(0, &["was not paused"]);
    process.kill().await;
    process.restart().await;
    assert_eq!(process.provider_status().await["paused"], Value::Null, "the end holds too");
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// A pause in the middle of a pass: what was not applied yet waits, and nothing gets a false verdict.
#[tokio::test]
async fn pause_stops_a_pass_that_runs() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    process.wait_for_sync().await;
    let hold = cloud.inject(When::call("POST", "/harmony/changes/acknowledge"), Fault::Hold);
    let change = cloud.put_document("edge", "pipeline", &echo("one", "/one"));
    cloud.wait_for_hits(hold, 1).await;
    let config = process.dir.config();
    let pausing = {
        let home = process.home.path().to_owned();
        tokio::spawn(async move { run(&config, &home, &["pause", "--reason", "wait"]).await })
    };
    eventually("paused", || async {
        let status = process.provider_status().await;
        if status["paused"].is_null() { Err(status) } else { Ok(()) }
    })
    .await;
    cloud.remove_fault(hold);
    pausing.await.unwrap().assert(0, &["the sync is paused"]);
    let status = process.wait_for_reason(&["is paused", "1 change waits"]).await;
    assert_eq!(status["sync"]["unsettled"], 1, "{status}");
    assert_eq!(process.status_code("/one").await, 404);
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    on(&process, &["resume"]).await.assert(0, &[]);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
}

/// A pause ends by itself at its time, by the wall clock: also when the gateway did not run meanwhile.
#[tokio::test]
async fn pause_ends_at_its_time() {
    let cloud = ControlPlane::start().await;
    let clock = Arc::new(OffsetClock::default());
    let options =
        InProcessGatewayOptions { clock: Some(clock.clone()), ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    let body = json!({ "reason": "maintenance", "for_secs": 7200 });
    let answer = client().post(gateway.admin_url("/admin/sync/pause")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["paused"]["until"].is_string() && answer["quiet"] == true, "{answer}");
    let change = cloud.put_document("edge", "pipeline", &echo("one", "/one"));
    let waits = |status: &GatewayStatus| status.sync.as_ref().is_some_and(|sync| sync.waiting == 1);
    eventually("it waits", || async { if waits(&gateway.host.status()) { Ok(()) } else { Err("not yet") } })
        .await;
    clock.advance(Duration::from_secs(7201));
    // The loop looks at the wall clock at every turn.
    let _ = gateway.host.sync().await;
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert!(gateway.host.status().paused.is_none());
}

#[tokio::test]
async fn pause_is_guarded_and_checked() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let post = async |path: &str, body: &Value| {
        let answer = client().post(gateway.admin_url(path)).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for body in [
        json!({}),
        json!({ "reason": "  " }),
        json!({ "reason": "x".repeat(1025) }),
        json!({ "reason": "x", "by": "x".repeat(129) }),
        json!({ "reason": "x", "for_secs": 0 }),
        json!({ "reason": "x", "for_secs": 40_000_000 }),
        json!({ "reason": "x", "for_secs": -1 }),
    ] {
        assert_eq!(post("/admin/sync/pause", &body).await.0, 422, "{body}");
    }
    assert!(gateway.host.status().paused.is_none());
    let forwarded = client().post(gateway.admin_url("/admin/sync/pause")).header("via", "1.1 proxy");
    assert_eq!(forwarded.json(&json!({ "reason": "x" })).send().await.unwrap().status(), 403);
    assert_eq!(get(gateway.admin_url("/admin/sync/pause")).await.unwrap().status(), 405);
    // What an operator writes commands no terminal.
    let (code, answer) = post("/admin/sync/pause", &json!({ "reason": "a\u{1b}[2J\nb", "by": "c\nd" })).await;
    assert_eq!(code, 200, "{answer}");
    let state = gateway.dir.path().join("state").display().to_string();
    let shown = run(&gateway.dir.config(), gateway.dir.path(), &["status", "--state-dir", &state]).await;
    assert!(!shown.text.contains('\u{1b}'), "{:?}", shown.text);
    let (code, answer) = post("/admin/sync", &json!({})).await;
    assert_eq!((code, &answer["error"]), (409, &json!("paused")), "{answer}");
}

/// A pause that cannot be recorded is none: it would be lost with the next restart.
#[tokio::test]
async fn pause_needs_the_disk() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    process.wait_for_sync().await;
    process.fail_disk("28 paused.json");
    on(&process, &["pause", "--reason", "x"]).await.assert(10, &["the pause cannot be recorded"]);
    assert_eq!(process.provider_status().await["paused"], Value::Null);
    process.heal_disk();
    on(&process, &["pause", "--reason", "x"]).await.assert(0, &[]);
    process.fail_disk("28 paused.json");
    on(&process, &["resume"]).await.assert(10, &["the pause cannot be recorded"]);
    assert!(process.provider_status().await["paused"].is_object(), "the pause holds");
    process.heal_disk();
    on(&process, &["resume"]).await.assert(0, &["the sync goes on"]);
}

/// Without a control plane there is nothing to pause.
#[tokio::test]
async fn pause_needs_a_control_plane() {
    let site = harmony_tests::Site::serving("").await;
    let answer = client().post(site.admin_url("/admin/sync/pause")).json(&json!({ "reason": "x" }));
    assert_eq!(answer.send().await.unwrap().status(), 403);
}

/// A record that cannot be read pauses: a damaged disk must not overrule an operator.
#[tokio::test]
async fn damaged_record_keeps_the_pause() {
    let cloud = ControlPlane::start().await;
    let mut process = GatewayProcess::following(&cloud).await;
    on(&process, &["pause", "--reason", "x"]).await.assert(0, &[]);
    process.kill().await;
    let mut found = 0;
    let mut todo = vec![process.home.path().to_owned()];
    while let Some(next) = todo.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                todo.push(path);
            } else if path.ends_with("paused.json") {
                std::fs::write(path, "{").unwrap();
                found += 1;
            }
        }
    }
    assert_eq!(found, 1);
    process.restart().await;
    let status = process.provider_status().await;
    assert!(status["paused"]["reason"].as_str().unwrap().contains("paused.json"), "{status}");
    on(&process, &["resume"]).await.assert(0, &[]);
    process.wait_for_sync().await;
}
