//! The command `authorize`: a login in the browser, or the token of a user in a file.

use std::process::Stdio;

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::{echo, on_ports};
use harmony_tests::{Gateway, RUNBEAM_CONFIG, Workdir, binary, free_port};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::{TOKEN, configuration, run};

/// Starts a gateway process without a machine token.
async fn unauthorized(cloud: &ControlPlane, token: &str) -> (Gateway, Workdir) {
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1") + token;
    let dir = Workdir::with([("config.toml", on_ports(&config, free_port(), free_port()))]);
    let gateway = Gateway::start(&dir.config()).await;
    (gateway, dir)
}

async fn assert_synced(cloud: &ControlPlane, name: &str) {
    let change = cloud.put_document("edge", "pipeline", &echo(name, &format!("/{name}")));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
}

#[tokio::test]
async fn login_in_the_browser_authorizes() {
    let cloud = ControlPlane::start().await;
    let (gateway, dir) = unauthorized(&cloud, "").await;
    let mut command = Command::new(binary());
    command.arg("authorize").arg("--config").arg(dir.config()).env("HOME", dir.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut authorizing = command.spawn().unwrap();
    let mut shown = BufReader::new(authorizing.stderr.take().unwrap()).lines();
    let url = loop {
        let line = shown.next_line().await.unwrap().expect("an address");
        if let Some(url) = line.trim().strip_prefix(cloud.url()) {
            break url.to_owned();
        }
    };
    let device = url.strip_prefix("/login/").unwrap();
    cloud.approve_login(device, "acme");
    let mut out = String::new();
    authorizing.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    assert!(authorizing.wait().await.unwrap().success(), "{out}");
    assert!(out.contains("the gateway is authorized") && out.contains("gateway edge ("), "{out}");
    assert_synced(&cloud, "first").await;
    assert!(!gateway.log().contains(device), "{}", gateway.log());
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn token_of_a_file_authorizes() {
    let cloud = ControlPlane::start().await;
    let (gateway, dir) = unauthorized(&cloud, "").await;
    let authorize = async |file: &str, more: &[&str]| {
        let arguments = [&["authorize", "--user-token-file", file], more].concat();
        run(&dir.config(), dir.path(), &arguments).await
    };
    let file = dir.path().join("user-token").display().to_string();
    authorize(&file, &[]).await.assert(2, &["user-token", "cannot be read"]);
    dir.write("user-token", " \n");
    authorize(&file, &[]).await.assert(2, &["is empty"]);
    dir.write("user-token", &"x".repeat(70_000));
    authorize(&file, &[]).await.assert(2, &["larger than 64 KiB"]);
    dir.write("user-token", "1|nobody");
    let refused = authorize(&file, &[]).await.assert(4, &["403"]);
    assert!(!refused.text.contains("1|nobody"), "{}", refused.text);
    let user = cloud.user_token("acme");
    dir.write("user-token", &format!("{user}\n"));
    let shown = authorize(&file, &[]).await.assert(0, &["the gateway is authorized", "gateway edge ("]);
    assert!(!shown.text.contains(&user) && !gateway.log().contains(&user));
    assert_synced(&cloud, "first").await;
}

/// Another identity takes the management token, which the command sends beside the token of the user.
#[tokio::test]
async fn another_identity_takes_the_management_token() {
    let cloud = ControlPlane::start().await;
    let (_gateway, dir) = unauthorized(&cloud, &format!("token = \"{TOKEN}\"\n")).await;
    dir.write("user-token", &cloud.user_token("acme"));
    let file = dir.path().join("user-token").display().to_string();
    let authorize = async |more: &[&str]| {
        let arguments = [&["authorize", "--user-token-file", &file], more].concat();
        run(&dir.config(), dir.path(), &arguments).await
    };
    authorize(&[]).await.assert(0, &["gateway edge ("]);
    authorize(&["--code", "other"]).await.assert(4, &["is enrolled as"]);
    authorize(&["--code", "other", "--replace"]).await.assert(0, &["gateway other ("]);
}

/// A control plane without this login: the message names the other way.
#[tokio::test]
async fn control_plane_may_have_no_login() {
    let cloud = ControlPlane::start().await;
    let (_gateway, dir) = unauthorized(&cloud, "").await;
    cloud.inject(When::path("/cli/start-login"), Fault::status(404));
    run(&dir.config(), dir.path(), &["authorize"])
        .await
        .assert(9, &["beginning the login", "--user-token-file"]);
}

#[tokio::test]
async fn local_gateways_need_no_authorization() {
    let (dir, _, _) = configuration("");
    let _gateway = Gateway::start(&dir.config()).await;
    run(&dir.config(), dir.path(), &["authorize"]).await.assert(9, &["needs no authorization"]);
}
