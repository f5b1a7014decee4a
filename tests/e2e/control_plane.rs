//! The control plane as a program.

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

async fn run(arguments: &[&str]) -> Output {
    program(arguments).output().await.unwrap()
}

/// Starts the control plane and waits until it listens.
async fn start(listen: &str, more: &[&str]) -> Child {
    let mut process = program(&[&["--listen", listen], more].concat()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.ends_with(&format!("http://{listen}")), "{first}");
    // The rest of the output is read, because a full pipe would block the program.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    process
}

async fn interrupt(mut process: Child) -> Option<i32> {
    let id = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    process.wait().await.unwrap().code()
}

#[tokio::test]
async fn the_program_saves_its_state_and_exits_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud.json");
    let data = data.to_str().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{listen}");

    let process = start(&listen, &["--seed", "demo", "--data", data]).await;
    let machine = run(&["authorize", "--team", "radiology-dept", "--code", "scanner-1", "--url", &url]).await;
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
async fn the_program_reports_errors() {
    let listen = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{listen}");
    let unreachable = run(&["token", "--team", "radiology-dept", "--url", &url]).await;
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unreachable.stderr).contains("is a control plane running there?"));

    let _process = start(&listen, &["--seed", "demo"]).await;
    let unknown = run(&["token", "--team", "nobody", "--url", &url]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no team nobody"));
    assert_eq!(run(&["--listen", &listen]).await.status.code(), Some(1), "the port is taken");
    assert_eq!(run(&["--listen", "nowhere"]).await.status.code(), Some(2));
}
