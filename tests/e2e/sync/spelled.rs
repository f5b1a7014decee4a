//! Changes of the gateway in the spellings of a control plane's forms, and gateways with older configurations.

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, eventually};

use super::status;

/// Edits config.toml, and waits until the edit is live.
async fn edit(gateway: &InProcessGateway, edit: impl FnOnce(String) -> String) {
    let before = gateway.host.snapshot().generation();
    let path = gateway.dir.path().join("config.toml");
    let text = edit(std::fs::read_to_string(&path).unwrap());
    gateway.dir.write("config.toml", &text);
    eventually("the edit is live", || async {
        let now = gateway.host.snapshot().generation();
        if now > before { Ok(()) } else { Err(gateway.host.status().reason()) }
    })
    .await;
}

fn config(gateway: &InProcessGateway) -> toml::Table {
    toml::from_str(&std::fs::read_to_string(gateway.dir.path().join("config.toml")).unwrap()).unwrap()
}

#[tokio::test]
async fn change_spells_defaults() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let own = config(&gateway);
    let (id, api) =
        (own["proxy"]["id"].as_str().unwrap(), own["provider"]["runbeam"]["api"].as_str().unwrap());
    let change = format!(
        "[proxy]\nid = \"{id}\"\nprimary_provider = \"local\"\npipelines_path = \"pipelines\"\n\
         transforms_path = \"./transforms\"\n[management]\nenabled = true\nbase_path = \"/admin/\"\n\
         network = \"management\"\n[provider.runbeam]\napi = \"{api}/\"\nenabled = true\npoll_interval_secs = 60\n"
    );
    let change = cloud.put_document("edge", "gateway", &change);
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Applied, "{:?}", view.error_message);
    let now = config(&gateway);
    assert_eq!(now["proxy"]["primary_provider"].as_str(), Some("local"));
    assert_eq!(now["provider"]["runbeam"]["poll_interval_secs"].as_integer(), Some(60));
    assert_eq!(
        now["provider"]["runbeam"]["api"], own["provider"]["runbeam"]["api"],
        "its own spelling stays"
    );
}

/// The control plane calls the gateway by its own id, code and name, and repeats the fields of its record.
#[tokio::test]
async fn proxy_id_at_the_control_plane() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let own = config(&gateway);
    for (n, id) in [cloud.gateway_id("edge"), "edge".to_owned()].into_iter().enumerate() {
        let interval = 61 + n;
        let change = format!(
            "[proxy]\ntype = \"gateway\"\nid = \"{id}\"\ncode = \"edge\"\nteam_id = \"01TEAM\"\nenabled = true\n\
             management_enabled = true\nmanagement_base_path = \"/admin\"\nmanagement_network_id = \"management\"\n\
             dns = []\ncreated_at = \"2026-01-01T00:00:00Z\"\n[provider.runbeam]\npoll_interval_secs = {interval}\n"
        );
        let change = cloud.change("edge", "gateway", &change);
        gateway.host.sync().await.unwrap();
        let view = cloud.wait_until_settled(&change).await;
        assert_eq!(view.status, Status::Applied, "{id}: {:?}", view.error_message);
        let now = config(&gateway);
        assert_eq!(now["proxy"], own["proxy"], "nothing of the record is written");
        assert_eq!(
            now["provider"]["runbeam"]["poll_interval_secs"].as_integer(),
            i64::try_from(interval).ok()
        );
    }
    for other in ["id = \"01OTHER\"", "code = \"other\"", "enabled = false", "management_enabled = false"] {
        let change = cloud.change("edge", "gateway", &format!("[proxy]\n{other}\n"));
        gateway.host.sync().await.unwrap();
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Failed, "{other}");
    }
}

#[tokio::test]
async fn management_network_is_not_rebound() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let before = std::fs::read_to_string(gateway.dir.path().join("config.toml")).unwrap();
    let change = format!(
        "[network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\n\
         [network.management.http]\nbind_address = \"0.0.0.0\"\nbind_port = {}\n",
        gateway.port, gateway.admin
    );
    let change = cloud.change("edge", "gateway", &change);
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Failed);
    let reason = format!("{:?} {:?}", view.error_message, view.error_details);
    assert!(reason.contains("network.management"), "{reason}");
    assert_eq!(std::fs::read_to_string(gateway.dir.path().join("config.toml")).unwrap(), before);
}

/// The interval of the legacy section counts, and a change of it, or of the primary provider, migrates the section.
#[tokio::test]
async fn change_on_legacy_gateway() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    edit(&gateway, |text| {
        text.replace("primary_provider = \"runbeam\"", "")
            .replace("[provider.runbeam]", "# the old form\n[runbeam]\nenabled = true")
            .replace("api = ", "cloud_api_base_url = ")
    })
    .await;
    let first = cloud.put_document("edge", "pipeline", &echo("first", "/first"));
    assert_eq!(cloud.wait_until_settled(&first).await.status, Status::Applied, "the section is followed");
    let change = "[proxy]\nprimary_provider = \"local\"\n[provider.runbeam]\npoll_interval_secs = 30\n";
    let change = cloud.put_document("edge", "gateway", change);
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Applied, "{:?}", view.error_message);
    let now = config(&gateway);
    assert!(!now.contains_key("runbeam"), "{now:?}");
    assert_eq!(now["proxy"]["primary_provider"].as_str(), Some("local"));
    assert_eq!(now["provider"]["runbeam"]["poll_interval_secs"].as_integer(), Some(30));
    let text = std::fs::read_to_string(gateway.dir.path().join("config.toml")).unwrap();
    assert!(text.contains("# the old form"), "{text}");
    assert_eq!(status(gateway.url("/first")).await, 200);
}

/// With the interval 0 a gateway asks on request only.
#[tokio::test]
async fn legacy_interval_ignored() {
    let cloud = ControlPlane::start().await;
    let options = InProcessGatewayOptions { interval: 0, ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    edit(&gateway, |text| {
        text.replace("primary_provider = \"runbeam\"", "")
            .replace("[provider.runbeam]", "[runbeam]\nenabled = true")
            .replace("api = ", "cloud_api_base_url = ")
    })
    .await;
    eventually("nothing is polled", || async {
        let cadence = gateway.host.status().sync.as_ref().map(|sync| sync.cadence.clone());
        if cadence.as_deref() == Some("on demand") { Ok(()) } else { Err(cadence) }
    })
    .await;
}
