//! The metrics of the control side: configuration, sync, expiry.

use std::time::{SystemTime, UNIX_EPOCH};

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{BASE, echo};
use harmony_tests::{GatewayProcess, Metrics, Workdir, free_port};

use crate::certificates::ends_in;
use crate::observability::Observed;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[tokio::test]
async fn a_rejected_edit_shows_until_it_is_fixed() {
    let observed = Observed::start(&format!("{BASE}{}", echo("fhir", "/fhir")), &[]).await;
    let metrics = Metrics::of(observed.admin).await;
    assert_eq!(metrics.get("harmony_configuration_last_attempt_success", &[]), 1.0);
    assert_eq!(metrics.get("harmony_configurations_applied_total", &[]), 1.0);
    assert_eq!(metrics.find("harmony_configuration_last_rejection", &[]), None);
    let (start, served) = (
        metrics.get("process_start_time_seconds", &[]),
        metrics.get("harmony_configuration_applied_timestamp_seconds", &[]),
    );
    assert!(now() - start < 120.0 && now() - served < 120.0, "{start} {served}");

    observed.dir.edit("config.toml", "\"/fhir\"", "7");
    let metrics = Metrics::until(observed.admin, "rejected", |metrics| {
        metrics.get("harmony_configuration_last_attempt_success", &[]) == 0.0
    })
    .await;
    assert_eq!(metrics.find("harmony_configuration_last_rejection", &[("class", "parse")]), Some(1.0));
    assert_eq!(metrics.get("harmony_configurations_rejected_total", &[("class", "parse")]), 1.0);
    assert_eq!(metrics.get("harmony_in_sync", &[]), 0.0);
    assert_eq!(metrics.get("harmony_configuration_generation", &[]), 1.0);
    observed.gateway.signal("HUP").await;
    let reloaded = |verdict: &'static str| {
        move |metrics: &Metrics| metrics.get("harmony_reloads_total", &[("verdict", verdict)]) == 1.0
    };
    Metrics::until(observed.admin, "the reload was rejected", reloaded("rejected")).await;

    observed.dir.edit("config.toml", "path_prefix = 7", "path_prefix = \"/r4\"");
    let metrics = Metrics::until(observed.admin, "applied", |metrics| {
        metrics.get("harmony_configuration_last_attempt_success", &[]) == 1.0
    })
    .await;
    assert_eq!(metrics.get("harmony_configurations_applied_total", &[]), 2.0);
    assert_eq!(metrics.find("harmony_configuration_last_rejection", &[]), None);
    observed.gateway.signal("HUP").await;
    Metrics::until(observed.admin, "the reload changed nothing", reloaded("unchanged")).await;
}

#[tokio::test]
async fn changes_and_failures_of_the_sync_are_counted() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    gateway.wait_for_sync().await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    let wrong = cloud.put_document("edge", "pipeline", "[pipelines.wrong]\nnetworks = [\"nowhere\"]\n");
    cloud.wait_until_settled(&wrong).await;
    let provider = [("provider", "runbeam")];
    let metrics = Metrics::until(gateway.admin, "both changes", |metrics| {
        let outcome = |name| metrics.get("harmony_sync_changes_total", &[("outcome", name)]);
        outcome("applied") == 1.0 && outcome("rejected") >= 1.0
    })
    .await;
    assert!(now() - metrics.get("harmony_sync_last_contact_timestamp_seconds", &provider) < 60.0);
    assert!(metrics.get("harmony_journal_bytes", &provider) > 100.0, "{}", metrics.text());
    assert_eq!(metrics.get("harmony_authorization_valid", &provider), 1.0);
    assert!(metrics.get("harmony_authorization_expiry_timestamp_seconds", &provider) > now());
    assert_eq!(metrics.get("harmony_sync_consecutive_failures", &provider), 0.0);
    cloud.stop().await;
    let metrics = Metrics::until(gateway.admin, "the control plane is away", |metrics| {
        metrics.get("harmony_sync_consecutive_failures", &provider) >= 2.0
    })
    .await;
    assert_eq!(metrics.get("harmony_in_sync", &[]), 0.0);
    assert!(metrics.get("harmony_sync_passes_total", &[("outcome", "failed")]) >= 2.0);
    cloud.restart().await;
    Metrics::until(gateway.admin, "the control plane is back", |metrics| {
        metrics.get("harmony_sync_consecutive_failures", &provider) == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_refused_credential_shows() {
    let cloud = ControlPlane::start().await;
    let gateway = GatewayProcess::following(&cloud).await;
    gateway.wait_for_sync().await;
    cloud.revoke("edge");
    Metrics::until(gateway.admin, "refused", |metrics| {
        metrics.get("harmony_authorization_valid", &[]) == 0.0
    })
    .await;
}

#[tokio::test]
async fn ends_of_certificates_are_shown() {
    let (cert, key) = ends_in(10);
    let dir = Workdir::with([("cert.pem", cert), ("key.pem", key)]);
    let tls = format!(
        "[network.secure.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\ncert_path = \"cert.pem\"\n\
         key_path = \"key.pem\"\n",
        free_port()
    );
    let observed = Observed::start_in(dir, &format!("{BASE}{tls}{}", echo("a", "/a")), &[]).await;
    let metrics = Metrics::of(observed.admin).await;
    let end = metrics.find("harmony_certificate_expiry_timestamp_seconds", &[("file", "cert.pem")]).unwrap();
    let days = (end - now()) / 86_400.0;
    assert!((9.9..10.1).contains(&days), "{days}");
    assert!(metrics.get("harmony_configuration_warnings", &[]) >= 1.0, "it ends soon");
}
