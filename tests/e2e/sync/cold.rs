//! References and tokens of the control plane: asked for once, used while they are good, never after.

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, Upstream, client, eventually, get};

/// A mesh of the control plane with an ingress of the gateway `partner` that leads to `upstream`, and pipelines of
/// the gateway `edge` that lead there: `/open` outside of the mesh, `/mesh` within it.
async fn partners(cloud: &ControlPlane, upstream: &Upstream, interval: u64) -> InProcessGateway {
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
        InProcessGatewayOptions { interval, sections, ..InProcessGatewayOptions::default() },
    )
    .await
}

#[tokio::test]
async fn ten_thousand_requests_for_a_cold_reference_and_its_token_ask_once_for_each() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    let held = cloud.inject(When::call("GET", "/harmony/resources/resolve"), Fault::Hold);
    let held_token = cloud.inject(When::call("POST", "/harmony/mesh/token"), Fault::Hold);
    let client = reqwest::Client::builder().http2_prior_knowledge().tls_certs_only([]).build().unwrap();
    let asking: Vec<_> = (0..10_000)
        .map(|_| {
            let request = client.get(gateway.url("/mesh/x")).send();
            tokio::spawn(async move { request.await.map(|answer| answer.status().as_u16()) })
        })
        .collect();
    cloud.wait_for_hits(held, 1).await;
    cloud.remove_fault(held);
    cloud.wait_for_hits(held_token, 1).await;
    cloud.remove_fault(held_token);
    for one in asking {
        assert_eq!(one.await.unwrap().unwrap(), 200);
    }
    assert_eq!(cloud.count("GET", "/harmony/resources/resolve"), 1);
    assert_eq!(cloud.count("POST", "/harmony/mesh/token"), 1);
}

#[tokio::test]
async fn with_the_control_plane_gone_what_is_valid_is_used_and_what_has_expired_is_503_and_never_open() {
    let cloud = ControlPlane::builder().mesh_tokens_last(14).start().await.unwrap();
    let upstream = Upstream::with_body("theirs").await;
    let gateway = partners(&cloud, &upstream, 0).await;
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 200);
    assert!(upstream.last_request().headers.contains_key("authorization"));
    cloud.stop().await;
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 200);
    let answer = eventually("the token to end", || async {
        let answer = get(gateway.url("/mesh/x")).await.unwrap();
        if answer.status() == 503 { Ok(answer) } else { Err(answer.status()) }
    })
    .await;
    assert!(answer.headers().contains_key("retry-after"));
    assert!(
        upstream.requests().iter().all(|seen| seen.headers.contains_key("authorization")),
        "never without"
    );
    assert_eq!(
        get(gateway.url("/open/x")).await.unwrap().status(),
        200,
        "the reference itself is still good"
    );
    cloud.restart().await;
    assert_eq!(get(gateway.url("/mesh/x")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_reference_that_is_not_there_is_404_one_that_is_not_ours_403_and_none_of_them_is_remembered() {
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

#[tokio::test]
async fn where_a_reference_led_is_not_followed_for_another_control_plane_that_is_away() {
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
    assert_eq!(get(gateway.url("/open/x")).await.unwrap().status(), 200, "as it said itself");
}
