//! Authorizing a gateway over the management API, as the CLI does.

use std::process::Command;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, Site, Workdir, binary, client};
use serde_json::{Value, json};

/// Starts a gateway that is not authorized.
async fn unauthorized(cloud: &ControlPlane, sections: &str) -> InProcessGateway {
    let options = InProcessGatewayOptions {
        authorized: false,
        sections: sections.to_owned(),
        ..InProcessGatewayOptions::default()
    };
    InProcessGateway::with(cloud, options).await
}

/// Posts JSON and returns the status and the response.
async fn post(url: String, bearer: Option<&str>, body: &Value) -> (u16, Value) {
    let mut request = client().post(url).json(body);
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A gateway that a user has authorized syncs, and still does after a restart.
#[tokio::test]
async fn an_authorized_gateway_syncs_after_a_restart() {
    for sanctum in [false, true] {
        let cloud = ControlPlane::start().await;
        let gateway = unauthorized(&cloud, "").await;
        let user = if sanctum { cloud.sanctum_token("acme") } else { cloud.user_token("acme") };
        let (status, answer) =
            post(gateway.admin_url("/admin/authorize"), Some(&user), &json!({ "gateway_code": "edge" }))
                .await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
        assert_eq!(answer["gateway"]["id"], json!(cloud.gateway_id("edge")));
        assert!(answer["expires_at"].is_string() && answer["expires_in"].is_number(), "{answer}");
        let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
        let _gateway = gateway.restarted().await;
        let change = cloud.put_document("edge", "pipeline", &echo("more", "/more"));
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    }
}

#[tokio::test]
async fn only_users_authorize() {
    let cloud = ControlPlane::start().await;
    let gateway = unauthorized(&cloud, "").await;
    let url = || gateway.admin_url("/admin/authorize");
    assert_eq!(post(url(), None, &json!({ "gateway_code": "edge" })).await.0, 401);
    let (status, answer) = post(url(), Some("1|nobody"), &json!({ "gateway_code": "edge" })).await;
    assert_eq!(status, 403, "{answer}");
    assert!(!answer.to_string().contains("nobody"), "{answer}");
    assert_eq!(post(url(), Some("1|nobody"), &json!({ "gateway_code": 7 })).await.0, 422);
    let long = "x".repeat(70_000);
    assert_eq!(post(url(), Some("1|nobody"), &json!({ "gateway_code": long })).await.0, 413);
}

/// An imported machine token is used, unless it names another control plane or gateway, or has expired.
#[tokio::test]
async fn an_imported_machine_token_is_used() {
    let cloud = ControlPlane::start().await;
    let gateway = unauthorized(&cloud, "").await;
    let own = serde_json::to_value(cloud.authorize("acme", "edge")).unwrap();
    let with = |key: &str, value: Value| {
        let mut token = own.clone();
        token[key] = value;
        token
    };
    let url = || gateway.admin_url("/admin/token");
    let (status, answer) = post(url(), None, &with("api_base_url", json!("https://evil.example"))).await;
    assert_eq!(status, 400, "{answer}");
    assert!(!answer.to_string().contains(own["machine_token"].as_str().unwrap()), "{answer}");
    assert_eq!(post(url(), None, &with("expires_at", json!("2001-01-01T00:00:00Z"))).await.0, 400);
    let (status, answer) =
        post(url(), None, &with("api_base_url", json!(format!("{}/api", cloud.url())))).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    let another = serde_json::to_value(cloud.authorize("acme", "another")).unwrap();
    let (status, answer) = post(url(), None, &another).await;
    assert_eq!(status, 400, "the identity of an authorized gateway does not change: {answer}");
}

#[tokio::test]
async fn cross_site_requests_and_forms_are_rejected() {
    let cloud = ControlPlane::start().await;
    let gateway = unauthorized(&cloud, "").await;
    let token = cloud.authorize("acme", "edge").to_string();
    for path in ["token", "authorize", "update", "sync"] {
        let url = gateway.admin_url(&format!("/admin/{path}"));
        let request = || client().post(&url).header("content-type", "application/json").body(token.clone());
        let foreign = request().header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(foreign.status(), 403, "{path}");
        let rebound = request().header("host", "evil.example").send().await.unwrap();
        assert_eq!(rebound.status(), 403, "{path}");
        let form = client().post(&url).header("content-type", "text/plain").body(token.clone());
        assert_eq!(form.send().await.unwrap().status(), 415, "{path}");
    }
    assert_eq!(
        gateway.host.status().sync.as_ref().map(|sync| sync.authorization),
        Some(harmony_host::Authorization::Missing)
    );
}

/// Importing a machine token requires the management token, if one is configured.
#[tokio::test]
async fn importing_a_token_needs_the_management_token() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let cloud = ControlPlane::start().await;
    let gateway = unauthorized(&cloud, &format!("token = \"{TOKEN}\"\n")).await;
    let token = serde_json::to_value(cloud.authorize("acme", "edge")).unwrap();
    assert_eq!(post(gateway.admin_url("/admin/token"), None, &token).await.0, 401);
    assert_eq!(post(gateway.admin_url("/admin/token"), Some(TOKEN), &token).await.0, 200);
}

/// With the provider `local`, there is nothing to authorize, push or sync.
#[tokio::test]
async fn local_has_nothing_to_authorize_or_sync() {
    let site = Site::serving("").await;
    for path in ["authorize", "token", "update", "sync"] {
        let (status, answer) = post(site.admin_url(&format!("/admin/{path}")), Some("x"), &json!({})).await;
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(
            status == 403 && message.contains("Runbeam Cloud integration is disabled") || status == 422,
            "{path} {status} {answer}"
        );
        assert!(path == "token" || status == 403, "{path}");
    }
}

#[tokio::test]
async fn the_pushed_configuration_has_no_secrets() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let cloud = ControlPlane::start().await;
    let sections = format!("token = \"{TOKEN}\"\n");
    let gateway = InProcessGateway::with(
        &cloud,
        InProcessGatewayOptions { interval: 0, sections, ..InProcessGatewayOptions::default() },
    )
    .await;
    gateway.dir.write("pipelines/fhir.toml", &echo("fhir", "/fhir"));
    gateway.dir.write("transforms/flatten.json", "[{\"operation\": \"shift\"}]");
    gateway.dir.write(
        "mesh/own.toml",
        "[mesh.own]\nprovider = \"local\"\njwt_secret = \"only-here-only-here-only-here-only-here\"\n",
    );
    gateway.host.reload().await.unwrap();
    let (status, answer) = post(gateway.admin_url("/admin/update"), Some(TOKEN), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let counts =
        ["pipeline_count", "transform_count", "mesh_count", "kept_count"].map(|key| answer[key].as_u64());
    assert_eq!(counts, [Some(1), Some(1), Some(1), Some(0)], "{answer}");
    let sent = format!("{:?}", cloud.requests());
    assert!(!sent.contains(TOKEN) && !sent.contains("only-here"), "{sent}");
    assert_eq!(cloud.document("edge", "pipeline", "fhir").as_deref(), Some(echo("fhir", "/fhir").as_str()));
}

/// The command `sync` applies pending changes and prints the rejected ones.
#[tokio::test]
async fn the_sync_command_prints_every_verdict() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let good = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    let run = async |command: &str| {
        let (config, state) = (gateway.dir.config(), gateway.dir.path().join("state"));
        let mut started = Command::new(binary());
        started.arg(command).arg("--config").arg(config).arg("--state-dir").arg(state);
        let run = move || started.output().unwrap();
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run("sync").await, (0, format!("applied   pipeline {good}\n")));
    assert_eq!(run("sync").await, (0, "nothing is pending\n".to_owned()));
    let bad = cloud.change("edge", "pipeline", "[pipelines.x]\nendpoints = [\"nowhere\"]\n");
    let (code, printed) = run("sync").await;
    assert!(code == 7 && printed.starts_with(&format!("rejected  pipeline {bad} (validate)\n")), "{printed}");
    assert!(printed.contains("pipelines/x.toml:2"), "{printed}");
    // `sync` and `status` exit with the same code while nothing is pending.
    let (code, printed) = run("sync").await;
    assert!(code == 7 && printed.starts_with("nothing is pending\nNOT in sync: "), "{printed}");
    assert!(printed.contains(&bad), "{printed}");
    let (code, screen) = run("status").await;
    assert!(code == 7 && screen.starts_with("NOT in sync\n") && screen.contains(&bad), "{screen}");
    cloud.stop().await;
    assert_eq!(run("sync").await.0, 9);
}

/// A gateway on the default provider gets its provider section written on authorization; comments stay.
#[tokio::test]
async fn the_default_provider_section_is_written() {
    let site = {
        let config = harmony_tests::site::BASE.replace("primary_provider = \"local\"\n", "# none chosen\n");
        Site::with(&config, Workdir::new()).await
    };
    assert_eq!(site.host.snapshot().providers().primary_name().as_str(), "runbeam");
    let token = json!({ "machine_token": "mt", "expires_at": "2099-01-01T00:00:00Z", "gateway_id": "01H" });
    let (status, answer) = post(site.admin_url("/admin/token"), None, &token).await;
    assert_eq!(status, 200, "{answer}");
    let written = site.dir.read("config.toml");
    assert!(written.contains("# none chosen\n"), "{written}");
    assert!(
        written
            .ends_with("[provider.runbeam]\napi = \"https://api.runbeam.cloud\"\npoll_interval_secs = 30\n"),
        "{written}"
    );
}

/// An edit by hand in the moment in which the section is written is in the file, or in a copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_while_the_provider_section_is_written() {
    let config = harmony_tests::site::BASE.replace("primary_provider = \"local\"\n", "");
    let token = json!({ "machine_token": "mt", "expires_at": "2099-01-01T00:00:00Z", "gateway_id": "01H" });
    for n in 0..6 {
        let site = Site::with(&config, Workdir::new()).await;
        let original = site.dir.read("config.toml");
        let edit = format!("{original}# by hand {n}\n");
        let (path, new) = (site.dir.config(), site.dir.path().join("new.txt"));
        std::fs::write(&new, &edit).unwrap();
        let editor = tokio::task::spawn_blocking(move || {
            let until = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
            let directory = path.parent().unwrap().to_owned();
            let before = std::fs::read(&path).unwrap();
            let is_written = || {
                let entries = std::fs::read_dir(&directory).unwrap().flatten();
                let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
                names.any(|name| name.starts_with(".harmony-"))
                    || std::fs::read(&path).ok().as_ref() != Some(&before)
            };
            while !is_written() {
                assert!(tokio::time::Instant::now() < until, "no section was written");
                std::thread::yield_now();
            }
            std::fs::rename(&new, &path).unwrap();
        });
        let (status, answer) = post(site.admin_url("/admin/token"), None, &token).await;
        assert_eq!(status, 200, "{answer}");
        editor.await.unwrap();
        let written = site.dir.read("config.toml");
        assert!(written.contains(&format!("# by hand {n}\n")), "{n}: the edit is gone: {written}");
    }
}

/// `POST update`: the gateway goes with its ULID and transforms with their name, a document that is not taken does not
/// keep the others, `config_size` is the total, and a poll follows.
#[tokio::test]
async fn update_pushes_what_it_can_and_polls() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    gateway.dir.write("pipelines/fhir.toml", &echo("fhir", "/fhir"));
    gateway.dir.write("transforms/flatten.json", "[{\"operation\": \"shift\"}]");
    gateway.dir.write(
        "mesh/unknown.toml",
        "[mesh.unknown]\nid = \"01H00000000000000000000000\"\nprovider = \"runbeam\"\ntype = \"http\"\n",
    );
    gateway.host.reload().await.unwrap();
    cloud.forget_requests();
    let (status, answer) = post(gateway.admin_url("/admin/update"), None, &json!({})).await;
    assert_eq!((status, &answer["success"]), (200, &json!(false)), "{answer}");
    let failed = answer["failed"].as_array().unwrap();
    assert_eq!((failed.len(), &failed[0]["document"]), (1, &json!("mesh/unknown.toml")), "{answer}");
    let counts = ["pipeline_count", "transform_count", "mesh_count"].map(|key| answer[key].as_u64());
    assert_eq!(counts, [Some(1), Some(1), Some(0)], "{answer}");
    let sent: Vec<Value> = cloud
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("/harmony/update"))
        .filter_map(|request| request.body)
        .collect();
    let of = |kind: &str| sent.iter().find(|body| body["type"] == kind).unwrap();
    assert_eq!(of("gateway")["id"], json!(cloud.gateway_id("edge")));
    assert!(of("transform")["config"].as_str().unwrap().contains("name = \"flatten\""), "{sent:?}");
    let taken = sent.iter().filter(|body| body["type"] != "mesh");
    let total: usize = taken.map(|body| body["config"].as_str().unwrap().len()).sum();
    assert_eq!(answer["config_size"], json!(total));
    let changes = cloud.changes("edge");
    assert_eq!(changes.len(), 3);
    for change in changes {
        assert_eq!(cloud.wait_until_settled(&change.id).await.status, Status::Applied, "a poll follows");
    }
}
