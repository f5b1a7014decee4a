//! Secrets in every place that can hold one are in no output: each place holds its own, and all bytes of all outputs are
//! searched for each of them, in each form, and for its first and last letters.

mod canary;
mod cloud;
mod edits;
mod keys;
mod outputs;
mod panics;
mod requests;
mod scanner;
mod state;
mod world;

use harmony_tests::{client, eventually};
use serde_json::json;

use self::scanner::Scanner;
use self::world::World;

/// Commands without a gateway, whose output is the same for everybody.
const STATIC: [&[&str]; 8] = [
    &["--help"],
    &["run", "--help"],
    &["authorize", "--help"],
    &["schema"],
    &["schema", "--markdown"],
    &["metrics-reference"],
    &["completions", "bash"],
    &["--version"],
];

#[tokio::test]
async fn text_outputs_show_no_secret() {
    no_output_shows_a_secret("human", "common").await;
}

#[tokio::test]
async fn json_outputs_show_no_secret() {
    no_output_shows_a_secret("json", "json").await;
}

/// Everything happens to one gateway; then its outputs, its logs and its files are searched.
async fn no_output_shows_a_secret(log: &str, access_log: &str) {
    let mut world = World::start(log, access_log).await;
    keys::assert_planted(&world);
    requests::send(&mut world).await;
    rotate(&mut world).await;
    enroll(&mut world).await;
    let accepted = edits::make(&mut world).await;
    // From here on the gateway is not in sync: some changes are rejected.
    cloud::send(&mut world).await;
    read(&mut world).await;
    roll_back(&mut world).await;
    for signal in ["USR1", "USR2", "HUP"] {
        world.gateway.signal(signal).await;
        world.gateway.wait_for_log(&format!("SIG{signal}")).await;
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", world.gateway.pid())).unwrap();
    world.outputs.add("the arguments of the process", arguments);
    world.gateway.signal("TERM").await;
    assert_eq!(world.gateway.exit_code().await, 0);
    let access_log = std::fs::read(world.dir.path().join("access.log")).unwrap();
    assert!(access_log.len() > 2000, "the access log has {} bytes", access_log.len());
    world.outputs.add("the access log", access_log);
    let log = world.gateway.log();
    assert!(log.contains("TRACE") && log.len() > 50_000, "the log has {} bytes", log.len());
    world.outputs.add("the log", log);
    world.outputs.run(&world.dir.config(), &["audit", "--last", "1000"]).await;
    let (code, _) = world.outputs.run(&world.dir.config(), &["audit", "verify"]).await;
    assert_eq!(code, 0);
    for change in world.cloud.changes("edge") {
        let report = json!([change.error_message, change.error_details]).to_string();
        world.outputs.add(format!("the report of {}", change.id), report);
    }
    let sent: Vec<_> = world.cloud.requests().into_iter().filter_map(|request| request.body).collect();
    assert!(json!(sent).to_string().contains("[mesh.clinic]"), "the configuration was pushed");
    world.outputs.add("the bodies of requests to the control plane", json!(sent).to_string());
    state::add(&mut world);
    let scanner = Scanner::new(&world.canaries);
    world.outputs.assert_clean(&scanner);
    state::assert_private(&world, &scanner);
    // No pipeline uses these definitions, so their URLs lead nowhere.
    assert_eq!(accepted, ["user information in URLs"], "edits that are not wrong");
}

/// Replaces secrets by others, as an operator does: the differences of both generations are outputs.
async fn rotate(world: &mut World) {
    for (file, of) in [
        ("config.toml", "an authentication"),
        ("config.toml", "a list of users"),
        ("config.toml", "the query of a URL"),
        ("config.toml", "the arguments of a command"),
        ("config.toml", "a named value"),
        ("config.toml", "a comment with a sentence"),
        ("pipelines/own.toml", "options.secret_access_key"),
        ("pipelines/own.toml", "a header to add"),
        ("transforms/t.json", "a transform"),
    ] {
        let old = world.canaries.all().iter().find(|canary| canary.place == of).unwrap().value.clone();
        let new = world.canaries.word(&format!("{of}, rotated"));
        world.dir.edit(file, &old, &new);
        let reload = client().post(format!("{}/reload", world.api())).json(&json!({}));
        assert_eq!(world.outputs.ask(reload).await, 200, "{of}");
    }
}

/// Authorizes the gateway again: with the token of a user in a file, with one that is refused, and with a machine token.
async fn enroll(world: &mut World) {
    let user = world.cloud.user_token("acme");
    world.canaries.token("the token of a user", &user);
    let refused = world.canaries.word("the token of a user that is refused");
    for (token, is_good) in [(&user, true), (&refused, false)] {
        world.dir.write("user-token", token);
        let file = world.dir.path().join("user-token").display().to_string();
        let environment = [("HARMONY_MANAGEMENT_TOKEN", world.management_token.as_str())];
        let command = ["authorize", "--user-token-file", &file];
        let (code, shown) = world.outputs.run_with(&world.dir.config(), &command, &environment).await;
        assert_eq!(code == 0, is_good, "{shown}");
    }
    world.dir.remove("user-token");
    let machine = world.cloud.authorize("acme", "edge");
    world.canaries.token("an imported machine token", &machine.machine_token);
    let other = world.cloud.authorize("acme", "another");
    world.canaries.token("the machine token of another gateway", &other.machine_token);
    for (token, expected) in [(&machine, 200), (&other, 400)] {
        let request = client().post(format!("{}/token", world.api())).bearer_auth(&world.management_token);
        assert_eq!(world.outputs.ask(request.json(token)).await, expected);
    }
}

/// Returns the numbers of the generations, the newest first.
async fn generations(world: &World) -> Vec<u64> {
    let history = harmony_tests::Gateway::management(world.admin, "history?limit=200").await;
    let entries = history["entries"].as_array().unwrap();
    entries.iter().filter_map(|entry| entry["generation"].as_u64()).collect()
}

/// Reads everything that can be read of the running gateway.
async fn read(world: &mut World) {
    let config = world.dir.config();
    let generations = generations(world).await;
    let (newest, oldest) = (generations[0], generations[generations.len() - 1]);
    assert!(newest > oldest + 5, "{generations:?}");
    let secret = world.canaries.word("an explained URL");
    let query = |what: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("what", what).finish()
    };
    let url = format!("http://u:{secret}@127.0.0.1:{}/open/x?token={secret}&x=1#{secret}", world.port);
    let mut queries = vec![("explain", query(&url)), ("history", "limit=200".to_owned())];
    queries.extend(keys::of(&world.documents()).iter().map(|(key, _)| ("explain", query(key))));
    queries.extend(
        generations.windows(2).map(|pair| ("history/diff", format!("from={}&to={}", pair[1], pair[0]))),
    );
    queries.push(("history/diff", format!("from={oldest}&to={newest}")));
    world.outputs.read_all(&world.api(), &queries).await;
    let search = client().get(format!("{}/?q={}", world.api(), &query(&url)["what=".len()..]));
    world.outputs.ask(search.header("accept", "text/html")).await;
    let page =
        client().get(format!("{}/", world.api())).header("accept", "text/html").header("via", "1.1 proxy");
    assert_eq!(world.outputs.ask(page).await, 401);
    let (oldest, newest) = (oldest.to_string(), newest.to_string());
    for command in [
        &["check"][..],
        &["status"],
        &["plan"],
        &["history", "--limit", "200"],
        &["diff", &oldest, &newest],
        &["diff", &oldest],
        &["explain", "/open/x"],
        &["explain", "local.name.open"],
        &["explain", "mesh.clinic.jwt_secret"],
        &["explain", "management.token"],
        &["explain", "backends.dead.options.secret_access_key"],
        &["resolve", "local.name.in"],
        &["log-level"],
        &["health"],
        &["sync"],
        &["audit"],
    ] {
        world.outputs.run(&config, command).await;
        if command[0] != "health" {
            world.outputs.run(&config, &[command, &["--json"]].concat()).await;
        }
    }
    for command in STATIC {
        let (code, shown) = world.outputs.run(&config, command).await;
        assert!(code == 0 && shown.len() > 10, "{command:?}: {code} {shown}");
    }
    let copied = world.dir.path().join("copy/config.toml").display().to_string();
    copy(world);
    let (code, shown) = world.outputs.run(&config, &["plan", "--files", &copied]).await;
    assert!(code != 0 && shown.contains("copied"), "{code}: {shown}");
}

/// Copies the configuration into a directory below it, with an edit.
fn copy(world: &World) {
    for name in [
        "config.toml",
        "pipelines/own.toml",
        "transforms/t.json",
        "keys/mesh.pem",
        "keys/mesh.pub",
        "keys/tls.crt",
        "keys/tls.key",
    ] {
        world.dir.write(&format!("copy/{name}"), &world.dir.read(name));
    }
    world.dir.write("copy/pipelines/copied.toml", &harmony_tests::site::echo("copied", "/copied"));
}

/// Restores an earlier generation, and fails to restore one that is not there.
async fn roll_back(world: &mut World) {
    let config = world.dir.config();
    let all = generations(world).await;
    let to = all[2].to_string();
    for (command, expected) in [
        (&["rollback", "9999", "--yes"][..], 14),
        (&["rollback", &to, "--dry-run"], 0),
        (&["rollback", &to, "--dry-run", "--json"], 0),
        (&["rollback", &to, "--yes"], 0),
    ] {
        let (code, shown) = world.outputs.run(&config, command).await;
        assert_eq!(code, expected, "{command:?}: {shown}");
    }
    eventually("the rollback is in the history", || async {
        let history = harmony_tests::Gateway::management(world.admin, "history?limit=20").await;
        let entries = history["entries"].as_array().unwrap();
        if entries.iter().any(|entry| entry["cause"]["kind"] == "rollback") { Ok(()) } else { Err(history) }
    })
    .await;
    world.outputs.ask(client().get(format!("{}/history/diff?from={to}", world.api()))).await;
}
