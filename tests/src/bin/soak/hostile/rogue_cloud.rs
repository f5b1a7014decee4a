//! A control plane that freezes, resets connections and answers nonsense.

use std::time::Duration;

use fastrand::Rng;
use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::fault_proxy::{FaultProxy, RandomFaults};

use crate::change::random;

/// Misbehaves in one way after the other, for some seconds each, and offers changes meanwhile.
pub(super) async fn run(cloud: &ControlPlane, network: &FaultProxy, mut rng: Rng) {
    for version in 1.. {
        let (kind, document, _) = random(&mut rng, version % crate::change::PIPELINES, version);
        cloud.change("edge", kind, &document);
        match rng.u32(..8) {
            0 => network.set_unresponsive(true),
            1 => network.stop().await,
            2 => network.randomize(RandomFaults::seeded(rng.u64(..)).with_probability(0.8)),
            _ => drop(cloud.inject(When::default(), nonsense(&mut rng, network.url()))),
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(2_000..10_000))).await;
        calm(cloud, network).await;
        tokio::time::sleep(Duration::from_millis(rng.u64(500..3_000))).await;
    }
}

/// Ends all faults.
pub(super) async fn calm(cloud: &ControlPlane, network: &FaultProxy) {
    network.clear_faults();
    cloud.clear_faults();
    network.restart().await;
}

fn nonsense(rng: &mut Rng, url: &str) -> Fault {
    match rng.u32(..14) {
        0 => Fault::html(200),
        1 => Fault::html(502),
        2 => Fault::EndlessBody,
        3 => Fault::Drip,
        4 => Fault::Oversized(64 * 1024 * 1024),
        5 => Fault::HugeNumbers,
        6 => Fault::Redirect(format!("{url}/harmony/changes")),
        7 => Fault::NextLink(format!("{url}/harmony/changes?page=1")),
        8 => Fault::BaseUrl("http://127.0.0.1:1/elsewhere".to_owned()),
        9 => Fault::HalfHeaders,
        10 => Fault::HalfBody,
        11 => Fault::Silence,
        12 => Fault::Repeated,
        _ => Fault::Response {
            status: 200,
            content_type: "application/json",
            body: format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        },
    }
}
