//! A network that loses, cuts, repeats and reorders messages between gateway and control plane.

use harmony_tests::control_plane::{ControlPlane, Status, When};
use harmony_tests::fault_proxy::{FaultProxy, ForwardedResponse, NetworkFault, RandomFaults};
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, eventually};

use super::status;

/// Requests syncs until every change has a verdict.
async fn settle(gateway: &InProcessGateway, cloud: &ControlPlane) {
    eventually("every change is settled", || async {
        let report = gateway.host.sync().await;
        let left: Vec<_> = cloud.changes("edge").into_iter().filter(|change| !change.is_settled()).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{report:?}, {left:?}")) }
    })
    .await;
}

/// Injects `fault` once into every call of a sync, and checks that the result is the same as without it.
async fn survive(fault: NetworkFault) {
    let (cloud, proxy) = FaultProxy::in_front_of(ControlPlane::builder()).await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let calls = [
        ("GET", "/harmony/base-url"),
        ("GET", "/harmony/changes/*"),
        ("GET", "/harmony/change/*"),
        ("POST", "/harmony/changes/acknowledge"),
        ("POST", "/harmony/change/*/applied"),
        ("POST", "/harmony/change/*/failed"),
    ];
    let rules = calls.map(|(method, path)| proxy.inject(When::call(method, path).times(1), fault));
    let good = cloud.put_document("edge", "pipeline", &echo("good", "/good"));
    let bad = cloud.change("edge", "pipeline", "no toml");
    settle(&gateway, &cloud).await;
    assert_eq!(rules.map(|rule| proxy.hits(rule)), [1; 6], "{:?}", proxy.requests());
    assert_eq!((cloud.view(&good).status, cloud.view(&bad).status), (Status::Applied, Status::Failed));
    assert_eq!(status(gateway.url("/good")).await, 200);
    assert!(cloud.violations().is_empty(), "{fault:?}: {:?}", cloud.violations());
}

/// Calls that are cut before or after they arrive are survived.
#[tokio::test]
async fn cut_calls_are_survived() {
    tokio::join!(
        survive(NetworkFault::Cut),
        survive(NetworkFault::LoseResponse),
        survive(NetworkFault::HalfHeaders)
    );
}

#[tokio::test]
async fn truncated_responses_are_survived() {
    tokio::join!(survive(NetworkFault::HalfBody), survive(NetworkFault::Truncate));
}

#[tokio::test]
async fn duplicated_calls_are_survived() {
    tokio::join!(
        survive(NetworkFault::Duplicate(ForwardedResponse::First)),
        survive(NetworkFault::Duplicate(ForwardedResponse::Second))
    );
}

#[tokio::test]
async fn reordered_and_duplicated_lists_are_survived() {
    tokio::join!(
        survive(NetworkFault::Reverse),
        survive(NetworkFault::Shuffle(1)),
        survive(NetworkFault::DuplicateEntries)
    );
}

#[tokio::test]
async fn the_newest_version_of_a_reordered_list_wins() {
    let (cloud, proxy) = FaultProxy::in_front_of(ControlPlane::builder()).await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    for n in 0..5 {
        cloud.put_document("edge", "pipeline", &echo("fhir", &format!("/v{n}")));
    }
    let rule = proxy.inject(When::path("/harmony/changes/*").times(1), NetworkFault::Reverse);
    settle(&gateway, &cloud).await;
    assert_eq!(proxy.hits(rule), 1);
    assert_eq!((status(gateway.url("/v4")).await, status(gateway.url("/v0")).await), (200, 404));
}

#[tokio::test]
async fn unresponsive_and_refusing_networks_are_survived() {
    let (cloud, proxy) = FaultProxy::in_front_of(ControlPlane::builder()).await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let change = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    proxy.set_unresponsive(true);
    let failed = |report: harmony_host::SyncReport| report.error.is_some();
    assert!(gateway.host.sync().await.is_some_and(failed));
    proxy.set_unresponsive(false);
    proxy.stop().await;
    assert!(gateway.host.sync().await.is_some_and(failed));
    assert_eq!((cloud.requests().len(), status(gateway.url("/fhir")).await), (0, 404));
    proxy.restart().await;
    settle(&gateway, &cloud).await;
    assert_eq!((cloud.view(&change).status, status(gateway.url("/fhir")).await), (Status::Applied, 200));
}

#[tokio::test]
async fn every_change_gets_one_verdict_on_a_bad_network() {
    let (cloud, proxy) = FaultProxy::in_front_of(ControlPlane::builder().per_page(4)).await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    proxy.randomize(RandomFaults::seeded(11).with_probability(0.5));
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for n in 0..12 {
        good.push(cloud.put_document("edge", "pipeline", &echo(&format!("p{n}"), &format!("/p{n}"))));
        bad.push(cloud.change("edge", "pipeline", &format!("[pipelines.p{n}]\nendpoints = [\"nowhere\"]\n")));
        let _ = gateway.host.sync().await;
    }
    settle(&gateway, &cloud).await;
    for (n, change) in good.iter().enumerate() {
        assert_eq!(cloud.view(change).status, Status::Applied, "{:?}", cloud.view(change));
        assert_eq!(status(gateway.url(&format!("/p{n}"))).await, 200);
    }
    assert!(bad.iter().all(|change| cloud.view(change).status == Status::Failed));
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
    assert!(proxy.requests().iter().any(|request| request.sent == 2));
}
