//! Wall clocks that are wrong, jump, or move on while the machine is suspended: no token is used or accepted past its end,
//! and a new one is useful.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::site::{echo, forward, ingress, mesh};
use harmony_tests::{Forged, InProcessGateway, InProcessGatewayOptions, OffsetClock, Upstream, client};
use serde_json::json;

const ID: &str = "01J0000000000000000000000A";
const ISSUE: &str = "/harmony/mesh/token";

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

/// A gateway that sends requests below `/a` to a member of a mesh of the control plane.
async fn sender(cloud: &ControlPlane, upstream: &Upstream) -> (InProcessGateway, Arc<OffsetClock>) {
    let sections = forward("a", "/a", &upstream.url())
        + &format!("[remote_ingress.theirs]\nurls = [\"{}\"]\n", upstream.url())
        + &format!(
            "[mesh.imaging]\nid = \"{ID}\"\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"theirs\"]\negress = []\n"
        )
        + "[pipelines.a.mesh.egress.out]\ntype = \"http\"\nbackend = \"a\"\n";
    gateway(cloud, sections.replace("egress = []", "egress = [\"out\"]")).await
}

async fn status(gateway: &InProcessGateway, path: &str, token: Option<&str>) -> u16 {
    let mut request = client().get(gateway.url(path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().status().as_u16()
}

/// A clock that is wrong by less than, or more than, the lifetime of a token: one token serves all requests.
#[tokio::test]
async fn a_clock_that_is_ahead_needs_no_token_per_request() {
    for ahead in [0, 290, 300, 3_600] {
        let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
        let (gateway, clock) = sender(&cloud, &upstream).await;
        clock.advance(Duration::from_secs(ahead));
        for _ in 0..10 {
            assert_eq!(status(&gateway, "/a/x", None).await, 200, "{ahead} s ahead");
        }
        assert_eq!(cloud.count("POST", ISSUE), 1, "{ahead} s ahead");
    }
}

/// The clock moves past the end of a token while the monotonic clock stands still: a new one is fetched, once. Without the
/// control plane nothing is sent.
#[tokio::test]
async fn a_token_is_not_sent_past_its_end() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let (gateway, clock) = sender(&cloud, &upstream).await;
    assert_eq!(status(&gateway, "/a/x", None).await, 200);
    for round in 2..4 {
        clock.advance(Duration::from_secs(3_600));
        for _ in 0..5 {
            assert_eq!(status(&gateway, "/a/x", None).await, 200);
        }
        assert_eq!(cloud.count("POST", ISSUE), round);
    }
    cloud.inject(When::call("POST", ISSUE), Fault::status(503));
    clock.advance(Duration::from_secs(3_600));
    let sent = upstream.requests().len();
    assert_eq!(status(&gateway, "/a/x", None).await, 503);
    assert_eq!(upstream.requests().len(), sent);
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
            assert_eq!(status(&gateway, path, Some(token)).await, 200, "{path}");
        }
    }
    // Past `exp` and the 60 s of leeway.
    clock.advance(Duration::from_secs(400));
    for (path, token) in [("/a/x", &local), ("/b/x", &remote)] {
        for _ in 0..3 {
            assert_eq!(status(&gateway, path, Some(token)).await, 403, "{path}");
        }
    }
}
