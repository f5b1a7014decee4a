//! Changes that must be rejected.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, OffsetClock, get};

use super::status;

/// Returns all files of the configuration.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            if path.is_dir() {
                if name != "state" {
                    open.push(path);
                }
            } else {
                all.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    all
}

/// Issues `toml`, which must be rejected in the step `class` with a reason that contains all of `words`, and checks
/// that the files and the served configuration stay, and that the next change is applied.
async fn check_rejected(kind: &str, toml: &str, class: &str, words: &[&str]) {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    check_rejected_by(&cloud, &gateway, kind, toml, class, words).await;
}

async fn check_rejected_by(
    cloud: &ControlPlane,
    gateway: &InProcessGateway,
    kind: &str,
    toml: &str,
    class: &str,
    words: &[&str],
) {
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied);
    let (before, generation) = (files(gateway.dir.path()), gateway.host.snapshot().generation());
    let bad = cloud.change("edge", kind, toml);
    let view = cloud.wait_until_settled(&bad).await;
    assert_eq!(view.status, Status::Failed, "{toml}");
    let reason = format!("{} {:?}", view.error_message.clone().unwrap_or_default(), view.error_details);
    assert!(view.error_message.unwrap_or_default().starts_with(&format!("{class}: ")), "{reason}");
    for word in words {
        assert!(reason.contains(word), "no {word} in {reason}");
    }
    assert_eq!(files(gateway.dir.path()), before);
    assert_eq!(gateway.host.snapshot().generation(), generation);
    assert_eq!(status(gateway.url("/first")).await, 200);
    let good = cloud.put_document("edge", "pipeline", &echo("good", "/good"));
    assert_eq!(cloud.wait_until_settled(&good).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/good")).await, 200);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn broken_syntax_is_rejected_with_its_line() {
    check_rejected("pipeline", "[pipelines.x]\nnetworks = [\n", "parse", &["pipeline change", ":2: "]).await;
}

#[tokio::test]
async fn a_missing_endpoint_is_rejected() {
    let toml = "[pipelines.x]\nnetworks = [\"public\"]\nendpoints = [\"nowhere\"]\nbackends = []\n";
    check_rejected("pipeline", toml, "validate", &["pipelines/x.toml:3", "nowhere"]).await;
}

#[tokio::test]
async fn every_problem_of_a_change_is_reported() {
    let toml = "[pipelines.x]\nnetworks = [\"void\"]\nendpoints = [\"nowhere\"]\nbackends = [\"gone\"]\n";
    check_rejected("pipeline", toml, "validate", &["void", "nowhere", "gone"]).await;
}

/// The networks of a gateway on these ports.
fn networks(public: u16, admin: u16) -> String {
    format!(
        "[network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = {public}\n\
         [network.management.http]\nbind_address = \"127.0.0.1\"\nbind_port = {admin}\n"
    )
}

#[tokio::test]
async fn a_port_in_use_is_rejected() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let toml = networks(port, gateway.admin);
    check_rejected_by(&cloud, &gateway, "gateway", &toml, "bind", &[&port.to_string(), "network.public"])
        .await;
}

#[tokio::test]
async fn two_networks_on_one_port_are_rejected() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let (toml, port) = (networks(gateway.admin, gateway.admin), gateway.admin.to_string());
    check_rejected_by(&cloud, &gateway, "gateway", &toml, "validate", &[&port]).await;
}

#[tokio::test]
async fn path_traversal_in_names_is_rejected() {
    for (kind, toml) in [
        ("pipeline", "[pipelines.\"../../x\"]\n"),
        ("mesh", "[mesh.\"../../x\"]\n"),
        ("transform", "[transform.\"../../x\"]\ninstructions = \"[]\"\n"),
        ("pipeline", "[pipelines.\"/etc/passwd\"]\n"),
    ] {
        check_rejected(kind, toml, "validate", &["file name"]).await;
    }
}

#[tokio::test]
async fn an_unknown_type_is_rejected() {
    check_rejected("firmware", "[proxy]\nid = \"stolen\"\n", "validate", &["firmware"]).await;
}

/// A change must not set the gateway's identity, its control plane, its directories or its management section.
#[tokio::test]
async fn protected_keys_are_rejected() {
    for (toml, key) in [
        ("[proxy]\nid = \"other\"\n", "proxy.id"),
        ("[provider.runbeam]\napi = \"https://evil.example\"\n", "provider.runbeam.api"),
        ("[provider.runbeam]\nallow_insecure = true\n", "allow_insecure"),
        ("[provider.other]\napi = \"https://evil.example\"\n", "provider.other"),
        ("[management]\nnetwork = \"public\"\n", "management.network"),
        ("[management]\nenabled = false\n", "management.enabled"),
        ("[runbeam]\nenabled = true\ncloud_api_base_url = \"https://evil.example\"\n", "runbeam"),
        ("[proxy]\npipelines_path = \"/etc\"\n", "pipelines_path"),
    ] {
        check_rejected("gateway", toml, "validate", &[key, "edit it on the gateway"]).await;
    }
}

/// A change must not name a key or certificate beyond the directory of config.toml.
#[tokio::test]
async fn key_files_beyond_the_directory_are_rejected() {
    for (kind, toml, key) in [
        ("mesh", "[mesh.m]\njwt_public_key_path = \"/etc/ssl/key.pem\"\n", "mesh.m.jwt_public_key_path"),
        (
            "gateway",
            "[network.x.http]\nbind_port = 1\ncert_path = \"../c.pem\"\n",
            "network.x.http.cert_path",
        ),
    ] {
        check_rejected(kind, toml, "validate", &[key, "edit it on the gateway"]).await;
    }
}

/// A transform that cannot be fetched fails the change that needs it, after four attempts.
#[tokio::test]
async fn a_missing_transform_fails_its_change() {
    let needs = |id: &str| {
        echo("needy", "/needy")
            + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{id}.json\"\n")
    };
    check_rejected("pipeline", &needs("01MISSING"), "fetch", &["01MISSING"]).await;
    check_rejected("pipeline", &needs("../../x"), "fetch", &["../../x"]).await;
    let cloud = ControlPlane::start().await;
    let clock = Arc::new(OffsetClock::default());
    let options = InProcessGatewayOptions {
        clock: Some(Arc::clone(&clock) as _),
        ..InProcessGatewayOptions::default()
    };
    let gateway = InProcessGateway::with(&cloud, options).await;
    let id = cloud.transform("edge", "flatten", "[]");
    let rule = cloud.inject(When::call("GET", "/transforms/*"), Fault::status(500));
    // A failed fetch is retried after 1 minute, 10 minutes and 1 hour.
    let hours_pass = async {
        loop {
            cloud.wait_for_more("GET", "/harmony/changes/", 1).await;
            clock.advance(Duration::from_secs(3600));
        }
    };
    let (pipeline, words) = (needs(&id), [id.as_str(), "500"]);
    tokio::select! {
        () = check_rejected_by(&cloud, &gateway, "pipeline", &pipeline, "fetch", &words) => {}
        () = hours_pass => {}
    }
    assert_eq!(cloud.hits(rule), 4);
}

#[tokio::test]
async fn a_change_without_a_document_is_rejected() {
    check_rejected("pipeline", "   ", "fetch", &["toml_config"]).await;
}

#[tokio::test]
async fn a_change_with_two_pipelines_is_rejected() {
    check_rejected("pipeline", "[pipelines.a]\n[pipelines.b]\n", "validate", &["`a`, `b`"]).await;
}

/// An answer that will be the same the next time is final: it is not fetched four times over more than an hour.
#[tokio::test]
async fn body_that_will_not_change_is_rejected_at_once() {
    let faults = [
        Fault::Oversized(9 * 1024 * 1024),
        Fault::EndlessBody,
        Fault::status(413),
        Fault::status(415),
        Fault::Status(200, serde_json::json!({ "data": { "id": 7, "toml_config": ["x"] } })),
    ];
    for fault in faults {
        let cloud = ControlPlane::start().await;
        let gateway = InProcessGateway::following(&cloud).await;
        let shown = format!("{fault:?}");
        let rule = cloud.inject(When::call("GET", "/harmony/change/*"), fault);
        let bad = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
        let view = cloud.wait_until_settled(&bad).await;
        assert_eq!(view.status, Status::Failed, "{shown}");
        assert!(view.error_message.unwrap_or_default().starts_with("fetch: "), "{shown}");
        cloud.remove_fault(rule);
        let good = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
        assert_eq!(cloud.wait_until_settled(&good).await.status, Status::Applied, "{shown}");
        assert_eq!(status(gateway.url("/first")).await, 200);
    }
}

/// No change takes `/health` from the management API: it answers there, whatever path a pipeline brings.
#[tokio::test]
async fn health_of_the_management_network_is_not_taken() {
    let health = async |gateway: &InProcessGateway| -> serde_json::Value {
        get(gateway.admin_url("/health")).await.unwrap().json().await.unwrap()
    };
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let on_management = |path: &str| echo("taker", path).replace("[\"public\"]", "[\"management\"]");
    let url = format!("http://127.0.0.1:{}/health", gateway.admin);
    let by_url = on_management("/a") + &harmony_tests::site::ingress("taker", "i", &url, "default");
    for toml in [
        on_management("/"),
        on_management("/health"),
        on_management("/%68ealth"),
        on_management("/health/ready"),
        by_url,
    ] {
        cloud.put_document("edge", "pipeline", &toml);
        let report = gateway.host.sync().await.unwrap();
        assert_eq!((report.applied.len(), report.rejected.len()), (0, 1), "{toml}: {report:?}");
        assert!(format!("{report:?}").contains("/health"), "{report:?}");
        assert_eq!(health(&gateway).await["live"], true, "{toml}");
    }
    cloud.put_document("edge", "pipeline", &on_management("/b"));
    let report = gateway.host.sync().await.unwrap();
    assert_eq!(report.applied.len(), 1, "another path of that network: {report:?}");
    assert_eq!(health(&gateway).await["live"], true);
}
