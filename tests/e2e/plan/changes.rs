//! Plans of changes of a provider: neither acknowledged nor applied, and as what then happens.

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, get};

use super::{DIFFERENCES, Ran, run, texts};

/// Plans a change by the command line.
async fn plan(gateway: &InProcessGateway, id: &str, more: &[&str]) -> Ran {
    let url = gateway.admin_url("/admin");
    let mut arguments = vec!["plan", "--url", &url, "--change", id];
    arguments.extend(more);
    run(&gateway.dir.config(), &arguments).await
}

#[tokio::test]
async fn pending_then_applied() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let id = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    let shown = plan(&gateway, &id, &[]).await;
    shown
        .expect(DIFFERENCES, &["change      pipeline", "writes      pipelines/fhir.toml", "+ pipeline fhir"]);
    let planned = plan(&gateway, &id, &["--json"]).await.expect(DIFFERENCES, &[]).json();
    assert_eq!(texts(&planned)[1], "added route /fhir on public: leads to pipeline fhir");
    assert_eq!(planned["change"]["writes"], serde_json::json!(["pipelines/fhir.toml"]));
    assert_eq!(cloud.view(&id).status, Status::Pending, "a plan acknowledges nothing");
    assert_eq!(get(gateway.url("/fhir")).await.unwrap().status(), 404);
    assert!(!gateway.dir.path().join("pipelines/fhir.toml").exists());
    let before = gateway.host.snapshot().generation();
    let report = gateway.host.sync().await.unwrap();
    assert_eq!((report.applied.len(), gateway.host.snapshot().generation()), (1, before + 1));
    assert_eq!(cloud.wait_until_settled(&id).await.status, Status::Applied);
    // The provider still has the change; its files are live.
    plan(&gateway, &id, &[]).await.expect(0, &["no difference"]);
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn rejected_deferred_and_unknown() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let wrong = cloud.change("edge", "pipeline", "[pipelines.x]\nnetworks = [\"nowhere\"]\nendpoints = []\n");
    let shown = plan(&gateway, &wrong, &[]).await.expect(1, &["REJECTED (validate)", "nowhere"]);
    let forbidden = cloud.change("edge", "gateway", "[proxy]\nid = \"other\"\n");
    plan(&gateway, &forbidden, &[]).await.expect(1, &["REJECTED", "may not set the id"]);
    let report = gateway.host.sync().await.unwrap();
    assert_eq!(report.rejected.len(), 2);
    let summary = cloud.wait_until_settled(&wrong).await.error_message.unwrap_or_default();
    assert!(summary.contains("nowhere") && shown.out.contains("pipelines.x.networks"), "{summary}");
    // One in quarantine is planned from the journal.
    plan(&gateway, &wrong, &[]).await.expect(1, &["nowhere"]);
    plan(&gateway, "01ARZ3NDEKTSV4RRFFQ69G5FAV", &[]).await.expect(3, &["error: "]);
    plan(&gateway, "a b\n", &[]).await.expect(2, &["not the id of a change"]);
    // Files that are invalid without the change make it wait.
    gateway.dir.write("pipelines/broken.toml", "[pipelines.broken]\nnetworks = [\"gone\"]\n");
    let waits = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    plan(&gateway, &waits, &[]).await.expect(7, &["would wait", "invalid without the change", "gone"]);
    let report = gateway.host.sync().await.unwrap();
    assert_eq!(report.held.len(), 1, "{report:?}");
}

/// Without the control plane only what the journal has can be planned; without a remote provider there is no change.
#[tokio::test]
async fn provider_away_or_local() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let id = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    cloud.inject(When::call("GET", "/harmony/change/*"), Fault::status(503));
    plan(&gateway, &id, &[]).await.expect(9, &["error: "]);
    cloud.clear_faults();
    plan(&gateway, &id, &[]).await.expect(DIFFERENCES, &["+ pipeline fhir"]);
    let config = gateway.dir.read("config.toml");
    gateway.dir.replace(
        "config.toml",
        &config.replace("primary_provider = \"runbeam\"", "primary_provider = \"local\""),
    );
    gateway.host.reload().await.unwrap();
    plan(&gateway, &id, &[]).await.expect(9, &["primary provider is `local`"]);
}
