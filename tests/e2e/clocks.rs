//! Wall clocks that jump, or move on while the machine is suspended: no token is accepted past its end. Tokens that are sent
//! are in `sync/cold.rs`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{echo, ingress, mesh};
use harmony_tests::{Forged, InProcessGateway, InProcessGatewayOptions, OffsetClock, client};
use serde_json::json;

const ID: &str = "01J0000000000000000000000A";

/// A gateway with a clock that the test moves.
async fn gateway(cloud: &ControlPlane, sections: String) -> (InProcessGateway, Arc<OffsetClock>) {
    let clock = Arc::new(OffsetClock::default());
    let options = InProcessGatewayOptions {
        sections,
        interval: 0,
        clock: Some(Arc::clone(&clock) as _),
        ..InProcessGatewayOptions::default()
    };
    (InProcessGateway::with(cloud, options).await, clock)
}

async fn status(gateway: &InProcessGateway, path: &str, token: &str) -> u16 {
    client().get(gateway.url(path)).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// Verified tokens are remembered, but not past their `exp` on the wall clock: of a local mesh, and of a control plane.
#[tokio::test]
async fn a_remembered_token_ends_with_the_wall_clock() {
    let cloud = ControlPlane::start().await;
    let sections = echo("a", "/a")
        + &ingress("a", "in", "http://a.example/a", "mesh")
        + &mesh("clinic", "in")
        + &echo("b", "/b")
        + &ingress("b", "there", "http://b.example/b", "mesh")
        + &format!(
            "[mesh.imaging]\nid = \"{ID}\"\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"there\"]\negress = []\n"
        );
    let (gateway, clock) = gateway(&cloud, sections).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let remote = cloud.signed(&json!({
        "iss": cloud.url(), "sub": "gateway:x", "aud": format!("mesh:{ID}"), "jti": "1", "mesh_id": ID,
        "dest_url": "http://b.example/b", "source_team": "t", "iat": now, "exp": now + 300,
    }));
    let local = Forged::of("clinic").jwt();
    for (path, token) in [("/a/x", &local), ("/b/x", &remote)] {
        for _ in 0..3 {
            assert_eq!(status(&gateway, path, token).await, 200, "{path}");
        }
    }
    // Past `exp` and the 60 s of leeway.
    clock.advance(Duration::from_secs(400));
    for (path, token) in [("/a/x", &local), ("/b/x", &remote)] {
        for _ in 0..3 {
            assert_eq!(status(&gateway, path, token).await, 403, "{path}");
        }
    }
}
