//! Rollback: an earlier generation, restored as a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use harmony_tests::{Upstream, client};
use serde_json::json;

use super::*;
use crate::load::load;

/// A gateway with three generations: `first` and `old`, then `hello`, then without `old`, with another `first`.
async fn three() -> (Local, Vec<(String, String)>) {
    let files = [("pipelines/old.toml", echo("old", "/old"))];
    let site = Local::start(&echo("first", "/first"), &files).await;
    site.wait_for_generation(1).await;
    let before = site.files();
    site.dir.replace("pipelines/hello.toml", &echo("hello", "/hello"));
    site.wait_for_generation(2).await;
    site.dir.remove("pipelines/old.toml");
    site.wait_for_generation(3).await;
    site.dir.edit("config.toml", "\"/first\"", "\"/moved\"");
    site.wait_for_generation(4).await;
    (site, before)
}

#[tokio::test]
async fn files_are_as_they_were() {
    let (mut site, before) = three().await;
    let newest = site.files();
    let ran = site.run(&["rollback", "1", "--yes"]).await.assert_code(0);
    ran.assert_contains(&[
        "the configuration of generation 1 is live as generation 5",
        "pipelines/old.toml",
        "removes",
        "pipelines/hello.toml",
        "removed pipeline hello",
        "added pipeline old",
    ]);
    assert_eq!(site.files(), before);
    let codes = [site.code("/first").await, site.code("/old").await, site.code("/hello").await];
    assert_eq!((codes, site.code("/moved").await), ([200, 200, 404], 404));
    let entry = site.wait_for_generation(5).await;
    let by = user().await;
    let cause = entry["cause_text"].as_str().unwrap();
    assert!(cause.starts_with(&format!("rollback to 1 by {by} from 127.0.0.1:")), "{cause}");
    assert_eq!(entry["cause"]["to"], 1);
    let status = site.get("provider").await;
    assert_eq!((&status["in_sync"], &status["effective"]["generation"]), (&true.into(), &5.into()));
    // A rollback is a generation like any: it can be rolled back, and outlives a restart.
    site.run(&["rollback", "4", "--yes"]).await.assert_code(0);
    assert_eq!(site.files(), newest);
    site.kill().await;
    site.restart().await;
    assert_eq!((site.generation().await, site.code("/moved").await), (6, 200));
    let ran = site.run(&["rollback", "6", "--yes"]).await.assert_code(0);
    ran.assert_contains(&["serves the files of generation 6 already"]);
    assert_eq!(site.generation().await, 6);
    site.run(&["audit", "verify"]).await.assert_code(0);
}

#[tokio::test]
async fn nothing_happens_without_a_confirmation() {
    let (site, _) = three().await;
    let before = site.files();
    site.run(&["rollback", "1"]).await.assert_code(2).assert_contains(&["--yes", "--dry-run"]);
    let ran = site.run(&["rollback", "1", "--dry-run"]).await.assert_code(0);
    ran.assert_contains(&["nothing was changed", "added pipeline old", "writes", "pipelines/old.toml"]);
    assert_eq!((site.files(), site.generation().await), (before, 4));
    let ran = site.run(&["rollback", "99", "--yes"]).await.assert_code(14);
    ran.assert_contains(&["there is no generation 99; the newest one is 4"]);
}

/// A rejected edit on the disk is lost only with a consent, and then a copy of it stays.
#[tokio::test]
async fn edits_that_are_not_live_are_not_lost() {
    let (site, _) = three().await;
    let broken = "[pipelines.hello]\nnetworks = [\"nowhere\"]\n";
    site.dir.replace("pipelines/hello.toml", broken);
    site.wait_for_rejection().await;
    for to in ["1", "4"] {
        let ran = site.run(&["rollback", to, "--yes"]).await.assert_code(14);
        ran.assert_contains(&["would replace edits that are not live: pipelines/hello.toml", "--force"]);
        assert_eq!(site.dir.read("pipelines/hello.toml"), broken);
    }
    let ran = site.run(&["rollback", "4", "--yes", "--force", "--json"]).await.assert_code(0).json();
    assert_eq!((&ran["verdict"], &ran["lost"]), (&"applied".into(), &json!(["pipelines/hello.toml"])));
    assert_eq!(std::fs::read_to_string(ran["copies"][0].as_str().unwrap()).unwrap(), broken);
    assert_eq!(site.dir.read("pipelines/hello.toml"), echo("hello", "/hello"));
    assert_eq!(site.get("provider").await["in_sync"], true);
}

/// A broken config.toml, with which the gateway started on its last good configuration.
#[tokio::test]
async fn a_broken_config_is_repaired() {
    let (mut site, _) = three().await;
    let good = site.files();
    eventually("the configuration is saved", || async {
        let status = site.get("provider").await;
        if status["last_good"]["at"].is_null() { Err(status) } else { Ok(()) }
    })
    .await;
    site.stop().await;
    site.dir.write("config.toml", "[proxy]\nid = \"site");
    site.restart().await;
    assert_eq!((site.generation().await, site.code("/moved").await), (4, 200));
    let ran = site.run(&["rollback", "4", "--yes"]).await.assert_code(14);
    ran.assert_contains(&["config.toml", "--force"]);
    site.run(&["rollback", "4", "--yes", "--force"]).await.assert_code(0);
    assert_eq!((site.files(), site.code("/moved").await), (good, 200));
    assert_eq!(site.get("provider").await["in_sync"], true);
}

/// A generation that cannot be served any more changes nothing.
#[tokio::test]
async fn a_rejected_rollback_changes_nothing() {
    let taken = free_port();
    let network = format!("[network.extra.http]\nbind_address = \"127.0.0.1\"\nbind_port = {taken}\n");
    let site = Local::start(&(network.clone() + &echo("first", "/first")), &[]).await;
    site.wait_for_generation(1).await;
    site.dir.edit("config.toml", &network, "");
    site.wait_for_generation(2).await;
    let (before, _held) = (site.files(), std::net::TcpListener::bind(("127.0.0.1", taken)).unwrap());
    let ran = site.run(&["rollback", "1", "--yes"]).await.assert_code(1);
    ran.assert_contains(&["was rejected now; generation 2 stays live", &taken.to_string()]);
    assert_eq!((site.files(), site.generation().await, site.code("/first").await), (before, 2, 200));
    let entry = site.wait_for_rejection().await;
    assert_eq!((&entry["cause"]["kind"], &entry["class"]), (&"rollback".into(), &"bind".into()));
    assert_eq!(site.get("provider").await["in_sync"], true);
}

/// Writes need what every write of the management API needs.
#[tokio::test]
async fn only_operators_roll_back() {
    let (site, _) = three().await;
    let url = format!("http://127.0.0.1:{}/admin/rollback", site.admin);
    let call = || client().post(&url).json(&json!({ "generation": 1 }));
    for header in
        [("origin", "https://evil.example"), ("x-forwarded-for", "10.0.0.1"), ("host", "evil.example")]
    {
        let status = call().header(header.0, header.1).send().await.unwrap().status().as_u16();
        assert_eq!(status, 403, "{header:?}");
    }
    let get = client().get(&url).send().await.unwrap().status().as_u16();
    let none = client().post(&url).json(&json!({})).send().await.unwrap().status().as_u16();
    assert_eq!((get, none, site.generation().await), (405, 422, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_it_is_rolled_back_and_forth() {
    let upstream = Upstream::with_body("from the upstream").await;
    let pipeline = harmony_tests::site::forward("api", "/api", &upstream.url());
    let site = Local::start(&pipeline, &[("pipelines/a.toml", echo("a", "/a"))]).await;
    site.wait_for_generation(1).await;
    site.dir.replace("pipelines/a.toml", &echo("a", "/b"));
    site.dir.replace("pipelines/c.toml", &echo("c", "/c"));
    eventually("both edits are live", || async {
        let codes = (site.code("/b").await, site.code("/c").await);
        if codes == (200, 200) { Ok(()) } else { Err(codes) }
    })
    .await;
    let other = site.generation().await;
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("http://127.0.0.1:{}/api", site.port);
    let clients: Vec<_> =
        (0..6).map(|_| tokio::spawn(load(url.clone(), Arc::clone(&stop), Arc::clone(&count)))).collect();
    let admin = format!("http://127.0.0.1:{}/admin/rollback", site.admin);
    for turn in 0..20 {
        let to = if turn % 2 == 0 { 1 } else { other };
        let answer = client().post(&admin).json(&json!({ "generation": to })).send().await.unwrap();
        let report: Value = answer.json().await.unwrap();
        assert_eq!(report["verdict"], "applied", "{report:#}");
        let seen = count.load(Ordering::Relaxed);
        eventually("requests between the rollbacks", || async {
            if count.load(Ordering::Relaxed) > seen + 10 { Ok(()) } else { Err(()) }
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.await.unwrap(), Vec::<String>::new());
    }
    assert_eq!(site.generation().await, other + 20);
}

/// A file that is replaced keeps its permissions, also one with a secret: they are the operator's.
#[tokio::test]
async fn permissions_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let own = echo("api", "/api")
        + "[pipelines.api.mesh.ingress.own]\ntype = \"http\"\nurls = [\"http://127.0.0.1:1/api\"]\nmode = \"mesh\"\n";
    let site = Local::start(&own, &[("mesh/m.toml", mesh("m", "own"))]).await;
    site.wait_for_generation(1).await;
    let path = site.dir.path().join("mesh/m.toml");
    site.dir.replace("mesh/m.toml", &(mesh("m", "own") + "# edited\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    site.wait_for_generation(2).await;
    site.run(&["rollback", "1", "--yes"]).await.assert_code(0);
    assert_eq!(site.dir.read("mesh/m.toml"), mesh("m", "own"));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}
