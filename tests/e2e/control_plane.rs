//! The control plane as the program that people start.

use std::process::{Output, Stdio};

use harmony_tests::control_plane::MachineTokenJson;
use harmony_tests::{client, free_port, get};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_control-plane"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn ask(arguments: &[&str]) -> Output {
    program(arguments).output().await.unwrap()
}

/// Starts it and waits until it says that it listens.
async fn start(listen: &str, more: &[&str]) -> Child {
    let mut process = program(&[&["--listen", listen], more].concat()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.ends_with(&format!("http://{listen}")), "{first}");
    // What it prints is read to the end, so that it never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    process
}

async fn interrupt(mut process: Child) -> Option<i32> {
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    process.wait().await.unwrap().code()
}

#[tokio::test]
async fn the_program_keeps_what_it_was_told_and_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud.json");
    let data = data.to_str().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{listen}");

    let process = start(&listen, &["--seed", "demo", "--data", data]).await;
    let machine = ask(&["authorize", "--team", "radiology-dept", "--code", "scanner-1", "--url", &url]).await;
    let machine: MachineTokenJson = serde_json::from_slice(&machine.stdout).unwrap();
    assert_eq!(machine.gateway_code, "scanner-1");
    assert_eq!(interrupt(process).await, Some(0));

    let process = start(&listen, &["--data", data, "--quiet"]).await;
    let client = client();
    let changes = client.get(format!("{url}/harmony/changes/{}", machine.gateway_id));
    assert_eq!(changes.bearer_auth(&machine.machine_token).send().await.unwrap().status(), 200);
    assert_eq!(get(format!("{url}/")).await.unwrap().status(), 200);
    assert_eq!(interrupt(process).await, Some(0));
}

#[tokio::test]
async fn the_program_says_what_is_wrong() {
    let listen = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{listen}");
    let nobody = ask(&["token", "--team", "radiology-dept", "--url", &url]).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("is a control plane running there?"));

    let _process = start(&listen, &["--seed", "demo"]).await;
    let unknown = ask(&["token", "--team", "nobody", "--url", &url]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no team nobody"));
    assert_eq!(ask(&["--listen", &listen]).await.status.code(), Some(1), "the port is taken");
    assert_eq!(ask(&["--listen", "nowhere"]).await.status.code(), Some(2));
}
