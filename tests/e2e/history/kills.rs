//! Kills in the middle of a rollback: afterwards the files are those of one generation, wholly, and the records are intact.

use harmony_tests::client;
use serde_json::json;

use super::*;

/// Kills a gateway at `point` of a rollback that writes, replaces and removes files, and restarts it.
async fn killed_at(point: &str, is_live: bool) {
    let files = [("pipelines/old.toml", echo("old", "/old")), ("pipelines/a.toml", echo("a", "/a"))];
    let mut site = Local::start(&echo("first", "/first"), &files).await;
    site.wait_for_generation(1).await;
    let earlier = site.files();
    site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
    site.wait_for_generation(2).await;
    site.dir.remove("pipelines/old.toml");
    site.wait_for_generation(3).await;
    site.dir.replace("pipelines/a.toml", &echo("a", "/b"));
    site.wait_for_generation(4).await;
    let newest = site.files();
    site.stop().await;
    site.restart_with(&[("FAILPOINTS", &format!("{point}=return"))]).await;
    assert_eq!(site.generation().await, 4, "{point}");
    let url = format!("http://127.0.0.1:{}/admin/rollback", site.admin);
    let answer = client().post(&url).json(&json!({ "generation": 1 })).send().await;
    assert!(answer.is_err(), "{point}: the process is alive: {:?}", answer.unwrap().text().await);
    site.gateway.wait_for_exit().await;
    site.run(&["audit", "verify"]).await.assert_code(0);
    site.restart().await;
    let (expected, codes) = if is_live { (earlier, [200, 404]) } else { (newest, [404, 200]) };
    assert_eq!([site.code("/a").await, site.code("/b").await], codes, "{point}");
    assert_eq!(site.files(), expected, "{point}: {}", site.gateway.log());
    let generation = site.generation().await;
    assert_eq!(generation, if is_live { 5 } else { 4 }, "{point}");
    let entry = site.wait_for_generation(generation).await;
    if is_live {
        assert_eq!(entry["cause"]["kind"], "rollback", "{point}: {entry:#}");
    }
    assert!(!site.state("history").join("rollback.pending").exists(), "{point}");
    assert_eq!(site.get("provider").await["in_sync"], true, "{point}");
    // It works afterwards.
    site.run(&["rollback", "2", "--yes"]).await.assert_code(0);
    assert_eq!(
        [site.code("/old").await, site.code("/hello").await, site.code("/a").await],
        [200; 3],
        "{point}"
    );
    site.run(&["audit", "verify"]).await.assert_code(0);
}

#[tokio::test]
async fn a_kill_before_it_is_live_leaves_what_was_served() {
    tokio::join!(
        killed_at("rollback-prepared", false),
        killed_at("rollback-staged", false),
        killed_at("part-written", false),
    );
    tokio::join!(
        killed_at("exchanging", false),
        killed_at("exchanged", false),
        killed_at("rollback-written", false),
    );
}

#[tokio::test]
async fn a_kill_after_it_is_live_leaves_the_rollback() {
    tokio::join!(
        killed_at("rollback-live", true),
        killed_at("probed", true),
        killed_at("rollback-settled", true),
    );
}

/// A kill while the recovery undoes the rollback.
#[tokio::test]
async fn a_kill_of_the_recovery_is_recovered() {
    let mut site = Local::start(&echo("first", "/first"), &[("pipelines/a.toml", echo("a", "/a"))]).await;
    site.wait_for_generation(1).await;
    site.dir.replace("pipelines/a.toml", &echo("a", "/b"));
    site.wait_for_generation(2).await;
    let newest = site.files();
    site.stop().await;
    site.restart_with(&[("FAILPOINTS", "rollback-written=return")]).await;
    let url = format!("http://127.0.0.1:{}/admin/rollback", site.admin);
    assert!(client().post(&url).json(&json!({ "generation": 1 })).send().await.is_err());
    site.gateway.wait_for_exit().await;
    site.gateway = Gateway::spawn_program(
        &faulty_binary(),
        &site.dir.config(),
        &[],
        &[("FAILPOINTS", "rollback-undone=return")],
    );
    site.gateway.wait_for_exit().await;
    site.restart().await;
    assert_eq!((site.files(), site.generation().await), (newest, 2));
}

/// An edit by hand after the kill stays, and the other files are restored.
#[tokio::test]
async fn an_edit_after_the_kill_stays() {
    let files = [("pipelines/a.toml", echo("a", "/a")), ("pipelines/z.toml", echo("z", "/z"))];
    let mut site = Local::start(&echo("first", "/first"), &files).await;
    site.wait_for_generation(1).await;
    site.dir.replace("pipelines/a.toml", &echo("a", "/b"));
    site.wait_for_generation(2).await;
    site.dir.replace("pipelines/z.toml", &echo("z", "/y"));
    site.wait_for_generation(3).await;
    site.stop().await;
    site.restart_with(&[("FAILPOINTS", "rollback-written=return")]).await;
    let url = format!("http://127.0.0.1:{}/admin/rollback", site.admin);
    assert!(client().post(&url).json(&json!({ "generation": 1 })).send().await.is_err());
    site.gateway.wait_for_exit().await;
    site.dir.replace("pipelines/a.toml", &echo("a", "/by-hand"));
    site.restart().await;
    assert_eq!([site.code("/by-hand").await, site.code("/y").await], [200, 200]);
}
