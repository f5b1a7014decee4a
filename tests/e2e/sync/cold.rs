//! Caches of references and tokens of the control plane: one fetch, used while valid, never afterwards.

use std::sync::Arc;
use std::time::Duration;

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::{
    InProcessGateway, InProcessGatewayOptions, OffsetClock, Upstream, client, eventually, get,
};

/// Starts the gateway `edge` with two pipelines to the ingress of the gateway `partner`, which is `upstream`: `/open`
/// outside the mesh, `/mesh` within it.
pub(crate) async fn partners(cloud: &ControlPlane, upstream: &Upstream, interval: u64) -> InProcessGateway {
    partners_at(cloud, upstream, interval, Arc::default()).await
}

/// Starts the same gateway with a clock that the test moves.
async fn partners_at(
    cloud: &ControlPlane,
    upstream: &Upstream,
    interval: u64,
    clock: Arc<OffsetClock>,
) -> InProcessGateway {
    cloud.authorize("partners", "partner");
    cloud.seed(
        "partner",
        "pipeline",
        &format!(
            "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n\
             [pipelines.api.mesh.ingress.their-api]\ntype = \"http\"\nurls = [\"{}/r4\"]\nendpoint = \"api\"\n\
             [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n",
            upstream.url()
        ),
    );
    cloud.authorize("acme", "edge");
    let mesh = |ingress: &str, egress: &str| {
        format!(
            "[mesh.imaging]\ntype = \"http\"\nprovider = \"runbeam\"\nauth_type = \"jwt\"\n\
             ingress = [{ingress}]\negress = [{egress}]\n"
        )
    };
    let reference = "runbeam.partners.ingress.name.their-api";
    let front = |name: &str, egress: &str| {
        format!(
            "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n{egress}\
             [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\
             [backends.{name}]\nservice = \"http\"\ntarget_ref = \"{reference}\"\n"
        )
    };
    let egress = "[pipelines.mesh.mesh.egress.out]\ntype = \"http\"\nbackend = \"mesh\"\n";
    cloud.seed("edge", "pipeline", &front("mesh", egress));
    let id = cloud.mesh("edge", &mesh(&format!("\"{reference}\""), "\"out\""));
    let with_id = mesh(&format!("\"{reference}\""), "\"out\"").replacen(
        "type = ",
        &format!("id = \"{id}\"\ntype = "),
        1,
    );
    let sections = front("open", "") + &front("mesh", egress) + &with_id;
    InProcessGateway::with(
        cloud,
        InProcessGatewayOptions {
            interval,
            sections,
            clock: Some(clock),
            ..InProcessGatewayOptions::default()
        },
    )
    .await
}

/// Sends requests through the mesh, which must all succeed.
pub(crate) async fn send(gateway: &InProcessGateway, count: usize) {
    for _ in 0..count {
        let response = get(gateway.url("/mesh/x")).await.unwrap();
        assert_eq!(response.status(), 200, "{:?}", response.text().await);
    }
}

/// A clock that is wrong by less than, or more than, the lifetime of a token: one token serves all requests.
#[tokio::test]
async fn clock_that_is_ahead_needs_no_token_per_request() {
    for ahead in [0, 290, 300, 3_600] {
        let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
        let clock = Arc::<OffsetClock>::default();
        clock.advance(Duration::from_secs(ahead));
        let gateway = partners_at(&cloud, &upstream, 0, clock).await;
        send(&gateway, 10).await;
        assert_eq!(cloud.count("POST", "/harmony/mesh/token"), 1, "{ahead} s ahead");
    }
}

/// The wall clock moves past the end of a token while the monotonic clock stands still: a new one is fetched, once. Without
/// the control plane nothing is sent.
#[tokio::test]
async fn token_is_not_sent_past_its_end_on_the_wall_clock() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let clock = Arc::<OffsetClock>::default();
    let gateway = partners_at(&cloud, &upstream, 0, Arc::clone(&clock)).await;
    send(&gateway, 1).await;
    for round in 2..4 {
        clock.advance(Duration::from_secs(3_600));
        send(&gateway, 5).await;
        assert_eq!(cloud.count("POST", "/harmony/mesh/token"), round);
    }
    cloud.inject(When::call("POST", "/harmony/mesh/token"), Fault::status(503));
    clock.advance(Duration::from_secs(3_600));
    let sent = upstream.requests().len();
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 503);
    assert_eq!(upstream.requests().len(), sent);
}

/// 10 000 concurrent requests cause one resolution of the reference and one token.
// With one thread, the calls to the control plane would wait for ten thousand requests, and meet their deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_requests_share_one_fetch() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    let hold = cloud.inject(When::call("GET", "/harmony/resources/resolve"), Fault::Hold);
    let hold_token = cloud.inject(When::call("POST", "/harmony/mesh/token"), Fault::Hold);
    let client = reqwest::Client::builder().http2_prior_knowledge().tls_certs_only([]).build().unwrap();
    let requests: Vec<_> = (0..10_000)
        .map(|_| {
            let request = client.get(gateway.url("/mesh/x")).send();
            tokio::spawn(async move {
                let answer = request.await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            })
        })
        .collect();
    cloud.wait_for_hits(hold, 1).await;
    cloud.remove_fault(hold);
    cloud.wait_for_hits(hold_token, 1).await;
    cloud.remove_fault(hold_token);
    for request in requests {
        assert_eq!(request.await.unwrap(), (200, "theirs".to_owned()));
    }
    assert_eq!(cloud.count("GET", "/harmony/resources/resolve"), 1);
    assert_eq!(cloud.count("POST", "/harmony/mesh/token"), 1);
}

/// While the control plane is down, valid tokens are used; without a valid token the response is 503, never an open
/// request.
#[tokio::test]
async fn expired_tokens_are_503_never_open() {
    let cloud = ControlPlane::builder().mesh_tokens_last(14).start().await.unwrap();
    let upstream = Upstream::with_body("theirs").await;
    let gateway = partners(&cloud, &upstream, 0).await;
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 200);
    assert!(upstream.last_request().headers.contains_key("authorization"));
    cloud.stop().await;
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 200);
    let answer = eventually("the token expires", || async {
        let answer = get(gateway.url("/mesh/x")).await.unwrap();
        if answer.status() == 503 { Ok(answer) } else { Err(answer.status()) }
    })
    .await;
    assert!(answer.headers().contains_key("retry-after"));
    assert!(
        upstream.requests().iter().all(|request| request.headers.contains_key("authorization")),
        "no request without a token"
    );
    assert_eq!(
        get(gateway.url("/open/x")).await.unwrap().status(),
        200,
        "the reference itself is still valid"
    );
    cloud.restart().await;
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 200);
}

/// Failed resolutions map to 404, 403 or 503, and none of them is cached.
#[tokio::test]
async fn failed_resolutions_are_not_cached() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    for (fault, expected) in [(404, 404), (403, 403), (500, 503), (401, 503)] {
        let rule = cloud.inject(When::call("GET", "/harmony/resources/resolve"), Fault::status(fault));
        let answer = client().get(gateway.url("/open/x")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{fault}");
        cloud.remove_fault(rule);
    }
    assert_eq!(get(gateway.url("/open/x")).await.unwrap().status(), 200);
}

/// A saved resolution is not used for another control plane.
#[tokio::test]
async fn resolutions_are_bound_to_their_control_plane() {
    let (cloud, other) = (ControlPlane::start().await, ControlPlane::start().await);
    let upstream = Upstream::with_body("theirs").await;
    let gateway = partners(&cloud, &upstream, 0).await;
    assert_eq!(get(gateway.url("/open/x")).await.unwrap().status(), 200);
    cloud.stop().await;
    other.stop().await;
    gateway.dir.edit("config.toml", cloud.url(), other.url());
    gateway.host.reload().await.unwrap();
    assert_eq!(client().get(gateway.url("/open/x")).send().await.unwrap().status(), 503);
    let gateway = gateway.restarted().await;
    assert_eq!(client().get(gateway.url("/open/x")).send().await.unwrap().status(), 503);
    gateway.dir.edit("config.toml", other.url(), cloud.url());
    gateway.host.reload().await.unwrap();
    assert_eq!(
        get(gateway.url("/open/x")).await.unwrap().status(),
        200,
        "the first control plane resolved it"
    );
}
