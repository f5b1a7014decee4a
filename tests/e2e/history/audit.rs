//! The audit log: what is recorded, by whom, and that no change of the record stays hidden.

use std::fs;

use harmony_tests::client;
use serde_json::json;

use super::*;

/// Returns the records of an event, oldest first.
async fn records(site: &Local, event: &str) -> Vec<Value> {
    let all = site.run(&["audit", "--json", "--last", "1000"]).await.assert_code(0).json();
    all.as_array().unwrap().iter().filter(|record| record["event"] == event).cloned().collect()
}

fn log_of(site: &Local) -> PathBuf {
    let all = files_below(&site.state("audit"));
    all.into_iter().find(|path| path.extension().is_some_and(|end| end == "log")).unwrap()
}

#[tokio::test]
async fn what_is_done_is_recorded_with_its_author() {
    let mut site = Local::start(&echo("first", "/first"), &[]).await;
    site.wait_for_generation(1).await;
    site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
    site.wait_for_generation(2).await;
    let post = async |path: &str, body: Value| {
        let url = format!("http://127.0.0.1:{}/admin/{path}", site.admin);
        client().post(url).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("reload", json!({})).await, 200);
    assert_eq!(post("rollback", json!({ "generation": 99 })).await, 409);
    assert_eq!(post("rollback", json!({ "generation": 1 })).await, 200);
    site.gateway.signal("HUP").await;
    eventually("the reload at the signal", || async {
        let reloads = records(&site, "reload").await;
        if reloads.len() == 2 { Ok(()) } else { Err(reloads) }
    })
    .await;
    site.stop().await;
    let me = user().await;
    let applied = records(&site, "apply").await;
    let facts: Vec<_> =
        applied.iter().map(|one| (one["generation"].as_u64(), one["cause"].as_str().unwrap())).collect();
    assert_eq!((facts[0], facts[1]), ((Some(1), "start"), (Some(2), &*format!("edit by {me}"))));
    assert!(facts[2].1.starts_with(&format!("rollback to 1 by {me} from 127.0.0.1:")), "{facts:?}");
    assert!(applied[1]["changed"].to_string().contains("added pipeline hello"), "{applied:#?}");
    let reloads = records(&site, "reload").await;
    assert_eq!((&reloads[0]["by"]["kind"], &reloads[0]["by"]["user"]), (&"peer".into(), &me.as_str().into()));
    assert_eq!(reloads[1]["by"], json!({ "kind": "signal", "name": "SIGHUP" }));
    let rollbacks = records(&site, "rollback").await;
    let verdicts: Vec<&Value> = rollbacks.iter().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts, ["refused", "applied"]);
    assert_eq!((records(&site, "start").await.len(), records(&site, "stop").await.len()), (1, 1));
    let ran = site.run(&["audit"]).await.assert_code(0);
    ran.assert_contains(&[
        "rollback applied by",
        "SIGHUP",
        "stop by the gateway",
        "changed: added pipeline hello",
    ]);
    site.run(&["audit", "verify"]).await.assert_code(0).assert_contains(&["intact: "]);
}

/// Every way to change the record of a gateway that is down, and that the gateway goes on behind it.
#[tokio::test]
async fn changes_of_the_record_are_found() {
    let mut site = Local::start(&echo("first", "/first"), &[]).await;
    site.wait_for_generation(1).await;
    for number in 2..6 {
        site.dir.replace("pipelines/hello.toml", &echo("hello", &format!("/{number}")));
        site.wait_for_generation(number).await;
    }
    site.stop().await;
    let (log, head) = (log_of(&site), site.state("audit").join("audit.head"));
    let whole = fs::read(&log).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let verify = async || site.run(&["audit", "verify"]).await;
    verify().await.assert_code(0);
    // One byte here and there; the unit tests try every one.
    for at in (0..whole.len()).step_by(whole.len() / 12) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&log, changed).unwrap();
        verify()
            .await
            .assert_code(15)
            .assert_contains(&["NOT as the gateway has written it", "audit-000000000001.log"]);
    }
    let moved = [&lines[..2], &[lines[3], lines[2]], &lines[4..]].concat().concat();
    for changed in [moved, [&lines[..3], &lines[4..]].concat().concat(), lines[..lines.len() - 1].concat()] {
        fs::write(&log, changed).unwrap();
        verify().await.assert_code(15);
    }
    fs::write(&log, &whole).unwrap();
    let intact = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    verify().await.assert_code(15).assert_contains(&["there is no head"]);
    fs::write(&head, intact).unwrap();
    verify().await.assert_code(0);
    // The gateway goes on behind a changed record, says so, and the change stays visible.
    fs::write(&log, text.replace("/3", "/4").replacen("added pipeline", "removed pipeline", 1)).unwrap();
    site.restart().await;
    assert_eq!(site.code("/first").await, 200);
    site.gateway.wait_for_log("the audit log is not as the gateway has written it").await;
    site.stop().await;
    let ran = site.run(&["audit", "verify", "--json"]).await.assert_code(15).json();
    assert_eq!(ran["ok"], false);
    assert_eq!(ran["report"]["faults"][0]["file"], "audit-000000000001.log");
    assert_eq!(records(&site, "stop").await.len(), 2);
}

/// A kill between the append and the head, and in the middle of the append, is no tampering.
#[tokio::test]
async fn a_kill_is_no_tampering() {
    for point in ["audited", "half-audited"] {
        let mut site = Local::start(&echo("first", "/first"), &[]).await;
        site.wait_for_generation(1).await;
        site.stop().await;
        // The first batch is that of the start.
        let points = format!("{point}=1*off->return");
        site.restart_with(&[("FAILPOINTS", &points)]).await;
        eventually("the start is recorded", || async {
            let starts = records(&site, "start").await;
            if starts.len() == 2 { Ok(()) } else { Err(starts) }
        })
        .await;
        site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
        site.gateway.wait_for_exit().await;
        let ran = site.run(&["audit", "verify"]).await.assert_code(0);
        ran.assert_contains(&[if point == "audited" { "behind the head" } else { "unfinished record" }]);
        site.restart().await;
        site.stop().await;
        let ran = site.run(&["audit", "verify"]).await.assert_code(0);
        assert!(!ran.out.contains("behind the head") && !ran.out.contains("unfinished"), "{ran:#?}");
        assert_eq!(records(&site, "start").await.len(), 3);
    }
}

#[tokio::test]
async fn the_key_may_be_elsewhere() {
    let mut site = Local::start("", &[]).await;
    site.stop().await;
    let elsewhere = Workdir::new();
    let key = elsewhere.path().join("key");
    fs::write(&key, "k".repeat(40)).unwrap();
    let key = key.display().to_string();
    fs::remove_dir_all(site.state("audit")).unwrap();
    site.gateway = Gateway::spawn_program(&binary(), &site.dir.config(), &["--audit-key-file", &key], &[]);
    site.gateway.wait_until_ready().await;
    site.wait_for_generation(1).await;
    site.stop().await;
    assert!(!site.state("audit").join("audit.key").exists());
    site.run(&["audit", "verify", "--audit-key-file", &key]).await.assert_code(0);
    site.run(&["audit", "verify"]).await.assert_code(15).assert_contains(&["--audit-key-file"]);
    elsewhere.write("other", &"o".repeat(40));
    let other = elsewhere.path().join("other").display().to_string();
    site.run(&["audit", "verify", "--audit-key-file", &other]).await.assert_code(15);
    // A key that cannot be read stops no gateway, but is reported.
    fs::remove_file(&key).unwrap();
    site.gateway = Gateway::spawn_program(&binary(), &site.dir.config(), &["--audit-key-file", &key], &[]);
    site.gateway.wait_until_ready().await;
    eventually("the failure is in the status", || async {
        let audit = site.get("provider").await["audit"].clone();
        if audit["failure"].as_str().is_some_and(|why| why.contains("does not exist")) {
            Ok(())
        } else {
            Err(audit)
        }
    })
    .await;
    assert!(!Path::new(&key).exists(), "a key that an operator named is not made");
}

#[tokio::test]
async fn without_a_log_there_is_nothing_to_show() {
    let dir = Workdir::new();
    for arguments in [&["audit"][..], &["audit", "verify"]] {
        run(&dir, arguments).await.assert_code(3).assert_contains(&["there is no audit log"]);
    }
}
