//! The limits of what a control plane decides: which variables its documents use, and where it writes.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{echo, forward, pipeline};
use harmony_tests::{GatewayProcess, Upstream, eventually};

/// Issues a change and returns its verdict with the reason.
async fn settle(cloud: &ControlPlane, kind: &str, toml: &str) -> (Status, String) {
    let change = cloud.change("edge", kind, toml);
    let view = cloud.wait_until_settled(&change).await;
    (view.status, format!("{:?} {:?}", view.error_message, view.error_details))
}

/// A change may use no variable either if its file has a name with `#`, of which the operator may have chosen any.
#[tokio::test]
async fn file_names_with_any_character() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    gateway.dir.write("pipelines/v#1.toml", &echo("v", "/v"));
    eventually("the local file is live", || async {
        if gateway.status_code("/v").await == 200 { Ok(()) } else { Err(gateway.gateway.log()) }
    })
    .await;
    let (status, reason) = settle(&cloud, "pipeline", &forward("v", "/v", "http://127.0.0.1:9/$HOME")).await;
    assert!(status == Status::Failed && reason.contains("remote_env_vars"), "{reason}");
    assert!(gateway.dir.read("pipelines/v#1.toml").contains("echo"), "the file stays");
}

/// A gateway with these sections in config.toml, and the variable `LOCAL_KEY` in its environment.
async fn with_local_key(cloud: &ControlPlane, sections: &str) -> GatewayProcess {
    let mut gateway = GatewayProcess::following(cloud).await;
    let config = gateway.dir.read("config.toml") + sections;
    gateway.kill().await;
    gateway.dir.write("config.toml", &config);
    gateway.restart_with_environment(&[("LOCAL_KEY", "k-of-this-host")]).await;
    gateway
}

/// A change that sets a key beside a variable of the operator, or that names its section, would choose the server that
/// gets the value. So it needs the permission of the operator.
#[tokio::test]
async fn a_local_variable_stays_where_the_operator_sent_it() {
    let cloud = ControlPlane::start().await;
    let upstream = Upstream::with_body("ok").await;
    let address = upstream.address();
    let target = "[targets.t.connection]\nhost = \"127.0.0.1\"\nport = 9\nbase_path = \"/key-$LOCAL_KEY\"\n";
    let backend =
        "[backends.b]\nservice = \"http\"\ntarget_ref = \"free\"\noptions.path_prefix = \"/k-$LOCAL_KEY\"\n";
    let free = "[targets.free]\nconnection.host = \"127.0.0.1\"\nconnection.port = 9\n";
    let mut gateway = with_local_key(&cloud, &format!("{target}{backend}{free}")).await;
    let moved = |section: &str| section.replace("port = 9", &format!("port = {}", address.port()));
    let named = |keys: &str| pipeline("p", "/p", &format!("service = \"http\"\ntarget_ref = \"t\"\n{keys}"));
    for (kind, change, key) in [
        // `targets` as a whole is replaced, so each change repeats what it keeps.
        ("gateway", moved(target) + free, "targets.t.connection.port"),
        ("gateway", target.replace("port = 9\n", "") + free, "targets.t.connection.port"),
        ("gateway", target.replace("127.0.0.1", "evil.example") + free, "targets.t.connection.host"),
        ("gateway", target.to_owned() + "[targets.t]\nprotocol = \"https\"\n" + free, "targets.t.protocol"),
        ("gateway", target.to_owned() + &moved(free), "targets.free"),
        ("pipeline", named(&format!("connection.port = {}\n", address.port())), "backends.p"),
        ("pipeline", named("connection.host = \"evil.example\"\n"), "backends.p"),
    ] {
        let (status, reason) = settle(&cloud, kind, &change).await;
        assert_eq!(status, Status::Failed, "{change}");
        assert!(reason.contains("remote_env_vars") && reason.contains(key), "{key}: {reason}");
        assert!(reason.contains("LOCAL_KEY") && !reason.contains("k-of-this-host"), "{reason}");
    }
    // A backend that leaves the connection of the target alone sends nothing elsewhere; nor does another section.
    let (status, reason) = settle(&cloud, "pipeline", &named("")).await;
    assert_eq!(status, Status::Applied, "{reason}");
    let (status, reason) = settle(&cloud, "gateway", "[logging]\nlevel = \"debug\"\n").await;
    assert_eq!(status, Status::Applied, "{reason}");
    assert_eq!(upstream.requests().len(), 0);
    // With the permission the change is applied, and the next start accepts it, too.
    gateway.dir.edit("config.toml", "id = \"edge\"", "id = \"edge\"\nremote_env_vars = [\"LOCAL_KEY\"]");
    let (status, reason) = settle(&cloud, "gateway", &(moved(target) + free)).await;
    assert_eq!(status, Status::Applied, "{reason}");
    assert_eq!(gateway.status_code("/p/q").await, 200);
    let permitted = gateway.dir.read("config.toml");
    gateway.dir.write("config.toml", &permitted.replace("remote_env_vars = [\"LOCAL_KEY\"]", ""));
    gateway.wait_for_reason(&["targets.t.connection.port", "LOCAL_KEY"]).await;
    gateway.kill().await;
}

/// A change replaces only files of the directory of its kind: it follows no link out of it. A link within it stays one.
#[tokio::test]
async fn a_change_follows_no_link_out_of_its_directory() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    for directory in ["pipelines/..one", "transforms"] {
        std::fs::create_dir_all(gateway.dir.path().join(directory)).expect("a directory");
    }
    gateway.dir.write("outside.json", "[]");
    gateway.dir.write("outside.toml", &echo("out", "/out"));
    gateway.dir.write("pipelines/..one/within.toml", &echo("within", "/within"));
    for (target, name) in [
        ("../outside.json", "transforms/out.json"),
        ("../outside.toml", "pipelines/out.toml"),
        ("..one", "pipelines/..data"),
        ("..data/within.toml", "pipelines/within.toml"),
    ] {
        std::os::unix::fs::symlink(target, gateway.dir.path().join(name)).expect("a link");
    }
    for (kind, change) in [
        ("transform", "[transform.out]\ninstructions = '[1]'\n".to_owned()),
        ("pipeline", echo("out", "/new")),
    ] {
        let (status, reason) = settle(&cloud, kind, &change).await;
        assert!(status == Status::Failed && reason.contains("outside of its directory"), "{reason}");
    }
    assert_eq!(gateway.dir.read("outside.json"), "[]");
    assert_eq!(gateway.dir.read("outside.toml"), echo("out", "/out"));
    let (status, reason) = settle(&cloud, "pipeline", &echo("within", "/moved")).await;
    assert_eq!(status, Status::Applied, "{reason}");
    assert!(gateway.dir.read("pipelines/..one/within.toml").contains("/moved"), "the link stays one");
}

/// A directory of a kind that holds other things of the gateway is rejected.
#[tokio::test]
async fn directories_are_apart() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    let state = gateway.dir.path().join("state");
    let config = gateway.dir.read("config.toml");
    for (path, reason) in [
        ("..", "contains the directory of config.toml"),
        ("/", "contains the directory of config.toml"),
        ("state", "state directory"),
        ("state/harmony", "state directory"),
    ] {
        gateway.dir.write(
            "config.toml",
            &config.replacen("[proxy]", &format!("[proxy]\ntransforms_path = \"{path}\""), 1),
        );
        let mut command = std::process::Command::new(harmony_tests::binary());
        command.args(["check", "--config"]).arg(gateway.dir.config()).env("HARMONY_STATE_DIR", &state);
        let output = command.output().expect("harmony-host runs");
        let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && shown.contains(reason), "{path}: {shown}");
    }
}
