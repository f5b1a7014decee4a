//! `harmony-host plan`: what an apply would change is what it then changes, and nothing is applied before.

mod changes;

use harmony_tests::site::{BASE, echo, forward, ingress, mesh, on_ports};
use harmony_tests::{Gateway, SECRET, Workdir, client, free_port};
use serde_json::Value;

use crate::certificates::ends_in;
use crate::command::{Ran, run};

const DIFFERENCES: i32 = 2;

/// A directory with this pipeline file, and the ports of its networks.
fn dir(pipelines: &str) -> (Workdir, u16, u16) {
    let (port, admin) = (free_port(), free_port());
    let dir = Workdir::new();
    dir.write("config.toml", &on_ports(BASE, port, admin));
    dir.write("pipelines/a.toml", pipelines);
    (dir, port, admin)
}

/// A copy of the configuration, in which an edit is planned.
fn copy(of: &Workdir) -> Workdir {
    let copy = Workdir::new();
    for name in ["config.toml", "pipelines/a.toml"] {
        copy.write(name, &of.read(name));
    }
    copy
}

/// Plans the files of `copy` for the gateway on `dir`.
async fn plan(dir: &Workdir, copy: &Workdir, more: &[&str]) -> Ran {
    let files = copy.config().display().to_string();
    let mut arguments = vec!["plan", "--files", &files];
    arguments.extend(more);
    run(&dir.config(), &arguments).await
}

/// Returns the differences of a plan in words.
fn texts(plan: &Value) -> Vec<String> {
    let all = plan["differences"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
    all.iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

async fn generation(admin: u16) -> Value {
    Gateway::management(admin, "config/status").await["generation"].clone()
}

/// Without a gateway the files are compared with what was live last: nothing at first, then what a gateway has saved.
#[tokio::test]
async fn without_a_gateway() {
    let (dir, ..) = dir(&echo("a", "/a"));
    let first = run(&dir.config(), &["plan"]).await;
    let first = first.expect(DIFFERENCES, &["would be applied", "no configuration is saved", "+ pipeline a"]);
    first.expect(DIFFERENCES, &["known only on apply", "is free"]);
    let mut gateway = Gateway::start(&dir.config()).await;
    let live = run(&dir.config(), &["plan"]).await;
    live.expect(0, &["no difference", "with generation 1 of the running gateway"]);
    gateway.signal("TERM").await;
    gateway.wait_for_exit().await;
    run(&dir.config(), &["plan"]).await.expect(0, &["no difference", "that was live; no gateway runs"]);
    dir.write("pipelines/a.toml", &echo("a", "/b"));
    let edited = run(&dir.config(), &["plan", "--json"]).await.expect(DIFFERENCES, &[]).json();
    assert_eq!((&edited["verdict"], &edited["against"]), (&"applied".into(), &"saved".into()));
    assert_eq!(
        texts(&edited),
        [
            "removed route /a on public",
            "added route /b on public: leads to pipeline a",
            "changed endpoint a: options.path_prefix now \"/b\" (was \"/a\")",
        ]
    );
    dir.write("pipelines/a.toml", "[pipelines.a]\nnetworks = [\"nowhere\"]\n");
    run(&dir.config(), &["plan"]).await.expect(1, &["REJECTED (validate)", "pipelines/a.toml:2", "nowhere"]);
    run(&dir.config(), &["plan", "--change", "x"]).await.expect(5, &["only a running one has the changes"]);
}

/// A plan of a copy says what happens when the files are replaced by it; before, nothing has happened.
#[tokio::test]
async fn files_elsewhere() {
    let (dir, port, admin) = dir(&(echo("a", "/a") + &forward("b", "/b", "http://127.0.0.1:1/x")));
    let _gateway = Gateway::start(&dir.config()).await;
    let copy = copy(&dir);
    plan(&dir, &copy, &[]).await.expect(0, &["no difference"]);
    copy.write("pipelines/a.toml", &format!("# a comment\n{}", dir.read("pipelines/a.toml")));
    plan(&dir, &copy, &[]).await.expect(0, &["no difference in meaning; the text of 1 file differs"]);
    copy.write("pipelines/a.toml", &(forward("b", "/b", "http://127.0.0.1:2/y") + &echo("c", "/c")));
    copy.write("config.toml", &dir.read("config.toml").replace("id = \"site\"", "id = \"other\""));
    let shown = plan(&dir, &copy, &[]).await.expect(DIFFERENCES, &["restarts    nothing", "generation 1"]);
    shown.expect(DIFFERENCES, &["- pipeline a\n", "+ pipeline c: leads to an echo of the request\n"]);
    let planned = plan(&dir, &copy, &["--json"]).await.expect(DIFFERENCES, &[]).json();
    let expected = [
        "removed pipeline a",
        "changed pipeline b: now leads to http://127.0.0.1:2/y (was http://127.0.0.1:1/x)",
        "added pipeline c: leads to an echo of the request",
        "removed route /a on public",
        "added route /c on public: leads to pipeline c",
    ];
    assert_eq!(texts(&planned)[..5], expected);
    assert!(texts(&planned).contains(&"changed setting proxy.id: now \"other\" (was \"site\")".to_owned()));
    assert_eq!(planned["restarts"], Value::Array(Vec::new()));
    assert_eq!(generation(admin).await, 1);
    assert_eq!(client().get(format!("http://127.0.0.1:{port}/a")).send().await.unwrap().status(), 200);
    // The edit itself.
    for name in ["pipelines/a.toml", "config.toml"] {
        dir.write(name, &copy.read(name));
    }
    let reload = client().post(format!("http://127.0.0.1:{admin}/admin/reload")).send().await.unwrap();
    assert_eq!(reload.status(), 200);
    let live = plan(&dir, &copy, &["--json"]).await.expect(0, &[]).json();
    assert_eq!((&live["verdict"], &live["served"]), (&"unchanged".into(), &planned["planned"]));
}

/// A plan that would be refused has the class and every problem, and so has one of a refused edit on the disk.
#[tokio::test]
async fn refused() {
    let (dir, port, _) = dir(&echo("a", "/a"));
    let gateway = Gateway::start(&dir.config()).await;
    let copy = copy(&dir);
    let two = "[pipelines.b]\nnetworks = [\"nowhere\"]\nendpoints = [\"missing\"]\nbackends = [\"a\"]\n";
    copy.write("pipelines/b.toml", two);
    let refused = plan(&dir, &copy, &["--json"]).await.expect(1, &[]).json();
    assert_eq!((&refused["verdict"], &refused["class"]), (&"rejected".into(), &"validate".into()));
    let problems = refused["problems"].as_array().unwrap();
    let lines: Vec<u64> = problems.iter().filter_map(|problem| problem["line"].as_u64()).collect();
    assert_eq!(lines, [2, 3], "{refused:#}");
    copy.write("pipelines/b.toml", "[pipelines.b\n");
    plan(&dir, &copy, &[]).await.expect(1, &["REJECTED (parse)", "pipelines/b.toml:1"]);
    copy.remove("config.toml");
    plan(&dir, &copy, &[]).await.expect(1, &["config.toml"]);
    dir.write("pipelines/b.toml", two);
    gateway.wait_for_log("the configuration was rejected").await;
    run(&dir.config(), &["plan"]).await.expect(1, &["error: pipelines/b.toml:2: pipelines.b.networks"]);
    assert_eq!(client().get(format!("http://127.0.0.1:{port}/a")).send().await.unwrap().status(), 200);
}

/// Listeners, certificates, meshes and members that would come, go or change.
#[tokio::test]
async fn listeners_certificates_and_meshes() {
    let member = echo("a", "/a") + &ingress("a", "in", "http://a.example/in", "mesh");
    let (dir, _, admin) = dir(&member);
    let _gateway = Gateway::start(&dir.config()).await;
    let (copy, port) = (copy(&dir), free_port());
    let (cert, key) = ends_in(90);
    copy.write("cert.pem", &cert);
    copy.write("key.pem", &key);
    let tls = format!(
        "[network.secure.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n\
         cert_path = \"cert.pem\"\nkey_path = \"key.pem\"\n"
    );
    copy.write("config.toml", &(dir.read("config.toml") + &tls));
    copy.write("mesh/m.toml", &mesh("m", "in"));
    let planned = plan(&dir, &copy, &["--json"]).await.expect(DIFFERENCES, &[]);
    let planned = planned.lacks(&[SECRET, "PRIVATE KEY"]).json();
    let texts = texts(&planned);
    for expected in [
        format!("added listener 127.0.0.1:{port}: opens, network secure, with TLS"),
        "added network secure".to_owned(),
        "added mesh m".to_owned(),
        "added mesh member ingress in of pipeline a of mesh m".to_owned(),
        "added key file key.pem".to_owned(),
    ] {
        assert!(texts.contains(&expected), "{expected}: {texts:#?}");
    }
    assert!(
        texts.iter().any(|text| text.starts_with("added certificate cert.pem: of network secure: ends "))
    );
    assert!(texts.iter().any(|text| text.contains("now requires a token of mesh m")), "{texts:#?}");
    let questions = planned["only_on_apply"].to_string();
    assert!(questions.contains(&format!("if 127.0.0.1:{port} is free")), "{questions}");
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err(), "a plan opens no door");
    assert_eq!(generation(admin).await, 1);
}

/// Secrets before and after the edit are in no output.
#[tokio::test]
async fn secrets_are_not_shown() {
    const CANARIES: [&str; 6] = [
        "canary-token-0123456789abcdef0123",
        "canary-token-fedcba98765432100123",
        "CANARYmesh7KqPz93XvTn2Wd5Rb8Yc6Lh1J",
        "CANARYmesh2Wd5Rb8Yc6Lh1J7KqPz93XvTn",
        "canary-bearer",
        "canary-option",
    ];
    let config = |token: &str| format!("token = \"{token}\"\n");
    let pipelines = |bearer: &str| {
        echo("a", "/a").replacen('\n', &format!("\ndescription = \"Bearer {bearer}\"\n"), 1)
            + "[middleware.m]\ntype = \"passthru\"\n[middleware.m.options]\nanything = \""
            + bearer
            + "-option\"\n"
    };
    let secret = |text: &str| mesh("m", "in").replace(SECRET, text);
    let member = ingress("a", "in", "http://a.example/in", "mesh");
    let (dir, ..) = dir(&(pipelines("canary") + &member));
    dir.write("config.toml", &(dir.read("config.toml") + &config(CANARIES[0])));
    dir.write("mesh/m.toml", &secret(CANARIES[2]));
    let gateway = Gateway::spawn(&dir.config(), &["--allow-unknown-keys"]);
    gateway.wait_for_log("ready").await;
    let copy = copy(&dir);
    copy.write("config.toml", &dir.read("config.toml").replace(CANARIES[0], CANARIES[1]));
    copy.write("mesh/m.toml", &secret(CANARIES[3]));
    copy.write("pipelines/a.toml", &(pipelines("canary-bearer") + &member));
    for more in [&[][..], &["--json"]] {
        let shown = plan(&dir, &copy, more).await.expect(DIFFERENCES, &["mesh m: jwt_secret changed"]);
        let shown = shown.expect(DIFFERENCES, &["management.token: changed", "description changed"]);
        shown.lacks(&CANARIES);
    }
    // The log of the edit.
    for name in ["config.toml", "mesh/m.toml", "pipelines/a.toml"] {
        dir.write(name, &copy.read(name));
    }
    gateway.wait_for_log("jwt_secret changed").await;
    let log = gateway.log();
    assert!(CANARIES.iter().all(|canary| !log.contains(canary)), "{log}");
}

/// A body of another form, a method that is not allowed, and a command line that is none.
#[tokio::test]
async fn wrong_calls() {
    let (dir, _, admin) = dir(&echo("a", "/a"));
    let _gateway = Gateway::start(&dir.config()).await;
    let url = |path: &str| format!("http://127.0.0.1:{admin}/admin/{path}");
    let posted =
        client().post(url("plan/files")).json(&serde_json::json!({ "files": 7 })).send().await.unwrap();
    assert_eq!(posted.status(), 422);
    assert_eq!(client().post(url("plan")).send().await.unwrap().status(), 405);
    assert_eq!(client().get(url("plan/files")).send().await.unwrap().status(), 405);
    let empty =
        client().post(url("plan/files")).json(&serde_json::json!({ "files": {} })).send().await.unwrap();
    let empty: Value = empty.json().await.unwrap();
    assert_eq!(empty["verdict"], "rejected", "{empty:#}");
    run(&dir.config(), &["plan", "--change", "a", "--files", "b"]).await.expect(2, &["cannot be used with"]);
    run(&dir.config(), &["plan", "--help"]).await.expect(0, &["2   differences", "64  usage of plan"]);
}
