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

/// Returns what `check` says of a configuration, after the commands of `script` in mounts of their own. `None` where
/// this machine allows no mounts.
fn checked(config: &std::path::Path, script: &str) -> Option<(bool, String)> {
    let unshared = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(harmony_tests::binary()).arg(config).current_dir(config.parent().expect("a directory"));
        command.env("HARMONY_STATE_DIR", config.with_file_name("state"));
        command.output()
    };
    let allowed = unshared("mount --bind . .").is_ok_and(|output| output.status.success());
    let output = allowed.then(|| unshared(&format!("{script} && \"$1\" check --config \"$2\"")))?.ok()?;
    let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Some((output.status.success(), shown))
}

/// A directory of a kind is apart by what it is on the disk, whatever link or mount leads there.
#[tokio::test]
async fn directories_are_apart_whatever_leads_there() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    for directory in ["pipelines", "mesh", "state/harmony", "elsewhere"] {
        std::fs::create_dir_all(gateway.dir.path().join(directory)).expect("a directory");
    }
    let config = gateway.dir.config();
    let moved =
        "cp config.toml pipelines/moved.toml && rm config.toml && ln -s pipelines/moved.toml config.toml";
    let linked = "rm config.toml && ln -s elsewhere/config.toml config.toml && \
                  rmdir mesh && ln -s elsewhere mesh";
    gateway.dir.write("elsewhere/config.toml", &gateway.dir.read("config.toml"));
    let kept = gateway.dir.read("config.toml");
    for (script, reason) in [
        ("mount --bind . pipelines", "proxy.pipelines_path"),
        ("mount --bind pipelines mesh", "the directory of `pipelines_path` too"),
        ("mount --bind state pipelines", "state directory"),
        ("mount --bind state/harmony pipelines", "state directory"),
        ("mount --bind .. mesh", "contains the directory of config.toml"),
        ("ln config.toml mesh/a.toml", "hard link"),
        ("rm mesh/a.toml", ""),
        (linked, "proxy.mesh_path"),
        ("rm mesh && mkdir mesh && rm config.toml && cp elsewhere/config.toml config.toml", ""),
        (moved, "proxy.pipelines_path"),
    ] {
        let Some((valid, shown)) = checked(&config, script) else { return };
        assert_eq!(valid, reason.is_empty(), "{script}: {shown}");
        assert!(shown.contains(reason), "{script}: {shown}");
    }
    assert_eq!(gateway.dir.read("config.toml"), kept);
}

/// The file of config.toml comes to be where a change may write, while the gateway runs: nothing is written to it.
#[tokio::test]
async fn a_change_never_writes_to_the_file_of_config_toml() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    let root = gateway.dir.path().to_owned();
    let own = gateway.dir.read("config.toml");
    gateway.dir.write("pipelines/a.toml", &echo("a", "/a"));
    std::fs::rename(root.join("config.toml"), root.join("pipelines/config.toml")).expect("a rename");
    std::os::unix::fs::symlink("pipelines/config.toml", root.join("config.toml")).expect("a link");
    gateway.wait_for_reason(&["proxy.pipelines_path", "the file that config.toml is a link to"]).await;
    let change = cloud.change("edge", "pipeline", &echo("config", "/evil"));
    gateway.wait_for_reason(&["proxy.pipelines_path"]).await;
    std::fs::remove_file(root.join("config.toml")).expect("the link goes");
    std::fs::rename(root.join("pipelines/config.toml"), root.join("config.toml")).expect("a rename");
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Applied, "{:?}", view.error_message);
    assert_eq!(gateway.dir.read("config.toml"), own);
    assert_eq!(gateway.status_code("/evil").await, 200);
}

/// A change of the gateway lifts no limit of requests, and one that repeats it is applied.
#[tokio::test]
async fn limits_of_requests_are_the_operators() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    let limited = gateway.dir.read("config.toml") + "[proxy.content_limits]\nmax_body_size = 2048\n";
    gateway.dir.write("config.toml", &limited);
    gateway.dir.write("pipelines/a.toml", &echo("a", "/a"));
    let sent = || async {
        let request = harmony_tests::client().post(gateway.url("/a")).body("x".repeat(5000));
        request.send().await.map(|answer| answer.status().as_u16()).unwrap_or_default()
    };
    eventually("the limit is live", || async {
        match sent().await {
            413 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    for (limits, key) in [
        ("content_limits = { max_csv_rows = 5 }", "max_csv_rows"),
        ("content_limits.max_body_size = 1048576", "max_body_size"),
        ("jwks_cache_duration_hours = 168", "jwks_cache_duration_hours"),
        ("name = \"other\"", "name"),
    ] {
        let (status, reason) = settle(&cloud, "gateway", &format!("[proxy]\n{limits}\n")).await;
        assert!(status == Status::Failed && reason.contains(key), "{limits}: {reason}");
    }
    for repeated in ["content_limits = {}", "content_limits.max_body_size = 2048"] {
        let (status, reason) = settle(&cloud, "gateway", &format!("[proxy]\n{repeated}\n")).await;
        assert_eq!(status, Status::Applied, "{repeated}: {reason}");
    }
    assert_eq!(sent().await, 413);
    assert_eq!(gateway.dir.read("config.toml"), limited);
}
