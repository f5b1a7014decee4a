//! The image of a container: its instructions are run as a container would run them.

use std::collections::BTreeMap;

use harmony_tests::{Gateway, Mount, Workdir, binary, free_port, get};
use tokio::process::Command;

use super::{TOKEN, deployed, file};

/// The instructions of the Dockerfile, by stage.
fn stages() -> Vec<Vec<(String, String)>> {
    let text = file("deploy/Dockerfile");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let mut stages = Vec::new();
    for line in joined.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        if name == "FROM" {
            stages.push(Vec::new());
        }
        let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        stages.last_mut().expect("FROM is first").push((name.to_owned(), rest));
    }
    stages
}

/// Returns the instruction `name` of the final stage.
fn last(name: &str) -> String {
    let stages = stages();
    let found = stages.last().unwrap().iter().rfind(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("the image has no {name}")).1.clone()
}

/// Returns a command in the form of a list, which needs no shell.
fn command(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn image_needs_neither_shell_nor_root() {
    let stages = stages();
    assert_eq!(stages.len(), 2, "the build tools stay outside");
    let names: Vec<&str> = stages[1].iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.contains(&"RUN"), "the base has no shell: {names:?}");
    let base = &stages[1][0].1;
    assert!(base.starts_with("gcr.io/distroless/") && base.contains(":nonroot"), "{base}");
    let (user, group) = last("USER").split_once(':').map(|(u, g)| (u.to_owned(), g.to_owned())).unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    let manifest = file("Cargo.toml");
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(stages[0][0].1.starts_with(&format!("docker.io/library/rust:{version}-")), "{}", stages[0][0].1);
    // The program is where the commands look for it.
    let program = &command(&last("ENTRYPOINT"))[0];
    let built = &stages[0].iter().find(|(name, _)| name == "RUN").unwrap().1;
    assert!(built.contains(&format!("install -D target/release/harmony-host /image{program}")), "{built}");
    for port in last("EXPOSE").split(' ').map(|port| port.trim_end_matches("/tcp").to_owned()) {
        assert!(file("deploy/config/config.toml").contains(&format!("bind_port = {port}\n")), "{port}");
    }
}

#[tokio::test]
async fn container_is_healthy_without_a_shell() {
    let (port, admin) = (free_port(), free_port());
    let (dir, state) = (deployed(port, admin), Workdir::new());
    let mut environment: BTreeMap<String, String> = BTreeMap::new();
    for variable in last("ENV").split(' ') {
        let (name, value) = variable.split_once('=').unwrap();
        let value = value.replace("/etc/harmony", &dir.path().display().to_string());
        let value = value.replace("/var/lib/harmony", &state.path().join("state").display().to_string());
        environment.insert(name.to_owned(), value);
    }
    environment.insert("HARMONY_MANAGEMENT_TOKEN".to_owned(), TOKEN.to_owned());
    let entry = command(&last("ENTRYPOINT"));
    let health = last("HEALTHCHECK");
    let health = command(health.split_once(" CMD ").unwrap().1);
    assert_eq!((entry.len(), &health[0]), (1, &entry[0]), "the binary checks itself");
    let healthy = async || {
        let mut check = Command::new(binary());
        check.args(&health[1..]).env_clear().envs(&environment).current_dir("/");
        check.output().await.unwrap()
    };
    assert!(!healthy().await.status.success(), "nothing runs yet");
    // The root is read-only, the configuration too.
    let process = Mount::ReadOnly.command(&binary(), dir.path());
    let mut process = process.unwrap_or_else(|| Command::new(binary()));
    process.args(command(&last("CMD")));
    let pairs: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut gateway = Gateway::spawn_command(process, &dir.config(), &pairs);
    gateway.wait_until_ready().await;
    let checked = healthy().await;
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(get(format!("http://127.0.0.1:{port}/hello")).await.unwrap().status(), 200);
    assert_eq!(last("STOPSIGNAL"), "SIGTERM");
    gateway.signal("TERM").await;
    gateway.wait_for_log("health/ready answers 503").await;
    assert!(!healthy().await.status.success(), "it is about to stop");
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
}
