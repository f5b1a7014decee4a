//! Syncing with a control plane: valid changes go live, invalid ones are rejected with the reason, and failures of the
//! control plane change nothing.

mod away;
mod beside;
mod by_hand;
mod carried;
pub(crate) mod cold;
mod late;
mod listed;
mod network;
mod other_gateway;
mod raced;
mod rejected;
mod spelled;
mod switched;

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, eventually, get};

/// Sends a GET request and returns the status.
async fn status(url: String) -> u16 {
    get(url).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_change_is_live_before_it_is_reported() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let hold = cloud.inject(When::call("POST", "/harmony/change/*/applied"), Fault::Hold);
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    cloud.wait_for_hits(hold, 1).await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    assert_eq!(status(gateway.url("/fhir/x")).await, 200);
    cloud.remove_fault(hold);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(gateway.dir.read("pipelines/fhir.toml"), echo("fhir", "/fhir"));
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

/// Of the changes of one document the newest is applied, over several pages of the list; the older ones are superseded.
#[tokio::test]
async fn newest_change_of_a_document_counts() {
    let cloud = ControlPlane::builder().per_page(3).start().await.unwrap();
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let changes: Vec<String> =
        (0..10).map(|n| cloud.put_document("edge", "pipeline", &echo("fhir", &format!("/v{n}")))).collect();
    let report = gateway.host.sync().await.unwrap();
    let (last, older) = changes.split_last().unwrap();
    let applied: Vec<&String> = report.applied.iter().map(|change| &change.id).collect();
    assert_eq!(applied, [last]);
    assert_eq!(cloud.wait_until_settled(last).await.status, Status::Applied);
    for change in older {
        let view = cloud.wait_until_settled(change).await;
        assert_eq!(view.status, Status::Failed);
        assert!(view.error_message.unwrap_or_default().starts_with("superseded: "));
    }
    assert_eq!((status(gateway.url("/v9")).await, status(gateway.url("/v8")).await), (200, 404));
}

/// With the interval 0, the gateway polls only when a sync is requested.
#[tokio::test]
async fn interval_zero_polls_on_demand_only() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    // A reload, as everything else that the gateway does by itself, must not poll.
    gateway.host.reload().await.unwrap();
    assert_eq!(cloud.count("GET", "/harmony/changes/"), 0);
    assert_eq!(cloud.view(&change).status, Status::Pending);
    let report = gateway.host.sync().await.unwrap();
    assert_eq!((report.applied.len(), report.error), (1, None));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(status(gateway.url("/fhir")).await, 200);
    assert_eq!(cloud.count("GET", "/harmony/changes/"), 1);
}

#[tokio::test]
async fn a_new_interval_applies_to_the_current_wait() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::with(
        &cloud,
        InProcessGatewayOptions { interval: 3600, ..InProcessGatewayOptions::default() },
    )
    .await;
    cloud.wait_for_count("GET", "/harmony/changes/", 1).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    gateway.dir.edit("config.toml", "poll_interval_secs = 3600", "poll_interval_secs = 1");
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
}

#[tokio::test]
async fn an_interval_change_keeps_comments() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let change = cloud.change("edge", "gateway", "[provider.runbeam]\npoll_interval_secs = 7\n");
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    let config = gateway.dir.read("config.toml");
    assert!(config.starts_with("# This comment stays.\n"), "{config}");
    assert!(
        config.contains("poll_interval_secs = 7") && config.contains("[network.public.http]"),
        "{config}"
    );
    eventually("the status shows the new interval", || async {
        let status = gateway.host.status();
        let cadence = status.sync.as_ref().map(|sync| sync.cadence.clone());
        if cadence.as_deref() == Some("every 7 s") { Ok(()) } else { Err(format!("{cadence:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_pushed_configuration_returns_unchanged() {
    let cloud = ControlPlane::start().await;
    let options = InProcessGatewayOptions {
        push: true,
        sections: echo("fhir", "/fhir"),
        ..InProcessGatewayOptions::default()
    };
    let gateway = InProcessGateway::with(&cloud, options).await;
    let before = gateway.dir.read("config.toml");
    cloud.wait_for_count("POST", "/harmony/update", 1).await;
    let changes = cloud.wait_for("the pushed configuration", |cloud| {
        let changes = cloud.changes("edge");
        (!changes.is_empty()).then_some(changes)
    });
    for change in changes.await {
        assert_eq!(cloud.wait_until_settled(&change.id).await.status, Status::Applied);
    }
    cloud.wait_for_more("GET", "/harmony/changes/", 2).await;
    assert_eq!(gateway.dir.read("config.toml"), before);
    assert_eq!(cloud.count("POST", "/harmony/update"), 1, "the returned configuration is not pushed again");
    assert_eq!(gateway.host.snapshot().generation(), 1, "the returned configuration makes no new generation");
}

#[tokio::test]
async fn transforms_arrive_alone_and_with_a_pipeline() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    let spec = r#"[{"operation":"shift","spec":{"a":"b"}}]"#;
    let own =
        cloud.put_document("edge", "transform", &format!("[transform.flatten]\ninstructions = '{spec}'\n"));
    assert_eq!(cloud.wait_until_settled(&own).await.status, Status::Applied);
    assert_eq!(gateway.dir.read("transforms/flatten.json"), spec);
    let id = cloud.transform("edge", "needed", spec);
    let pipeline = echo("fhir", "/fhir")
        + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{id}.json\"\n");
    let change = cloud.put_document("edge", "pipeline", &pipeline);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!(gateway.dir.read(&format!("transforms/{id}.json")), spec);
}

/// A change is deferred while the files are invalid without it, until they are repaired.
#[tokio::test]
async fn broken_files_hold_changes_until_repaired() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::following(&cloud).await;
    gateway.dir.write("pipelines/mine.toml", "[pipelines.mine]\nendpoints = [\"nowhere\"]\n");
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    eventually("the change is deferred", || async {
        let status = gateway.host.status();
        let verdict =
            status.sync.as_ref().and_then(|sync| sync.last_change.as_ref()).map(|last| last.verdict);
        if verdict == Some(harmony_host::ChangeOutcome::Held) { Ok(()) } else { Err(format!("{verdict:?}")) }
    })
    .await;
    assert_eq!(cloud.view(&change).status, Status::Acknowledged);
    gateway.dir.write("pipelines/mine.toml", &echo("mine", "/mine"));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    assert_eq!((status(gateway.url("/fhir")).await, status(gateway.url("/mine")).await), (200, 200));
}
