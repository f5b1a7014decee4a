//! `mesh_auth` with a mesh of a control plane.

use std::time::{SystemTime, UNIX_EPOCH};

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::{echo, forward};
use harmony_tests::{InProcessGateway, InProcessGatewayOptions, Upstream, Workdir, client};
use serde_json::json;

use crate::mesh_auth::problems_of;

const ID: &str = "01J0000000000000000000000A";

/// A pipeline below `/a` with the middleware `m` and an ingress of the mesh `imaging`.
fn sections(mesh: &str, options: &str) -> String {
    echo("a", "/a").replace("backends = ", "middleware = [\"m\"]\nbackends = ")
        + "[pipelines.a.mesh.ingress.in]\ntype = \"http\"\nurls = [\"http://a.example/x\"]\n"
        + &format!(
            "[mesh.imaging]\nid = \"{ID}\"\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"in\"]\negress = []\n{mesh}"
        )
        + &format!("[middleware.m]\ntype = \"mesh_auth\"\n{options}")
}

async fn gateway(cloud: &ControlPlane, sections: String) -> InProcessGateway {
    InProcessGateway::with(cloud, InProcessGatewayOptions { sections, ..InProcessGatewayOptions::default() })
        .await
}

/// The status of a request with a token for the ingress, signed by the control plane.
async fn with_token(cloud: &ControlPlane, gateway: &InProcessGateway, path: &str) -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let url = format!("http://127.0.0.1:{}{path}", gateway.port);
    let token = cloud.signed(&json!({
        "iss": cloud.url(), "sub": "gateway:x", "aud": format!("mesh:{ID}"), "jti": "1", "mesh_id": ID,
        "dest_url": "http://a.example/x", "source_team": "t", "iat": now, "exp": now + 300,
    }));
    client().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// The published keys come from `jwks_url`, of the mesh or of its `mesh_auth`: where there are none, no token is valid.
#[tokio::test]
async fn jwks_url_at_the_control_plane_is_used() {
    let cloud = ControlPlane::start().await;
    let key = |path: &str| format!("jwks_url = \"{}{path}\"\n", cloud.url());
    let (here, nowhere) = (key("/.well-known/jwks.json"), key("/nowhere.json"));
    for (mesh, options, expected) in [
        (String::new(), String::new(), 200),
        (String::new(), format!("options.{here}"), 200),
        (
            here.clone(),
            format!("options.mesh_name = \"imaging\"\noptions.{here}options.provider = \"runbeam\"\n"),
            200,
        ),
        (String::new(), format!("options.{nowhere}"), 503),
        (nowhere, String::new(), 503),
    ] {
        let gateway = gateway(&cloud, sections(&mesh, &options)).await;
        assert_eq!(with_token(&cloud, &gateway, "/a/x").await, expected, "{mesh} {options}");
        let without = client().get(format!("http://127.0.0.1:{}/a/x", gateway.port)).send().await.unwrap();
        assert_eq!(without.status(), 403, "{mesh} {options}");
    }
}

/// Whoever owns the keys can forge tokens: they come from the configured origin only.
#[tokio::test]
async fn jwks_url_elsewhere_is_rejected() {
    let config = |mesh: &str, options: &str| {
        "[proxy]\nid = \"a\"\n[provider.runbeam]\napi = \"https://cloud.example/api\"\n[network.public.http]\nbind_port = 1\n"
            .to_owned()
            + &sections(mesh, options)
    };
    let at = |url: &str| format!("jwks_url = \"{url}\"\n");
    let own = at("https://cloud.example/keys.json");
    for (mesh, options, key, message) in [
        (at("https://keys.example/k"), String::new(), "mesh.imaging.jwks_url", "https://cloud.example"),
        (at("http://cloud.example/k"), String::new(), "mesh.imaging.jwks_url", "https://cloud.example"),
        (
            String::new(),
            at("https://keys.example/k"),
            "middleware.m.options.jwks_url",
            "https://cloud.example",
        ),
        (
            String::new(),
            at("https://cloud.example:8443/k"),
            "middleware.m.options.jwks_url",
            "https://cloud.example",
        ),
        (
            String::new(),
            at("https://cloud.example.evil/k"),
            "middleware.m.options.jwks_url",
            "https://cloud.example",
        ),
        (String::new(), at("https://u@cloud.example/k"), "middleware.m.options.jwks_url", "user name"),
        (String::new(), at("keys"), "middleware.m.options.jwks_url", "expected a URL"),
        (
            own.clone(),
            at("https://cloud.example/other.json"),
            "middleware.m.options.jwks_url",
            "https://cloud.example/keys.json",
        ),
    ] {
        let options = if options.is_empty() { options } else { format!("options.{options}") };
        let dir = Workdir::with([("config.toml", config(&mesh, &options))]);
        let (errors, _) = problems_of(dir.config().as_ref(), &dir).await;
        assert_eq!(errors.len(), 1, "{mesh} {options}: {errors:?}");
        assert!(errors[0].contains(&format!(": {key}: ")) && errors[0].contains(message), "{errors:?}");
    }
    let equal = config(&own, &format!("options.{}", at("https://CLOUD.example:443/keys.json")));
    let dir = Workdir::with([("config.toml", equal)]);
    assert_eq!(problems_of(dir.config().as_ref(), &dir).await.0, [""; 0]);
}

/// While the control plane issues no token, no request leaves.
#[tokio::test]
async fn without_the_control_plane_nothing_is_sent() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let sections = forward("a", "/a", &upstream.url())
        .replace("backends = ", "middleware = [\"m\"]\nbackends = ")
        + &format!("[remote_ingress.theirs]\nurls = [\"{}\"]\n", upstream.url())
        + &format!(
            "[mesh.imaging]\nid = \"{ID}\"\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"theirs\"]\negress = []\n"
        )
        + "[middleware.m]\ntype = \"mesh_auth\"\noptions.direction = \"egress\"\noptions.mesh_name = \"imaging\"\n";
    let gateway = gateway(&cloud, sections).await;
    cloud.inject(When::call("POST", "/harmony/mesh/token"), Fault::status(500));
    let answer = client().get(format!("http://127.0.0.1:{}/a/x", gateway.port)).send().await.unwrap();
    assert_eq!(answer.status(), 503, "{:?}", answer.text().await);
    assert!(upstream.requests().is_empty());
}

/// A change of the control plane is bound to the same rules: it cannot name another key, and what it requires holds.
#[tokio::test]
async fn changes_of_the_control_plane() {
    let cloud = ControlPlane::start().await;
    let local = "[mesh.clinic]\ntype = \"http\"\nprovider = \"local\"\ningress = []\negress = []\n\
                 jwt_secret = \"a-mesh-secret-of-more-than-32-bytes-for-tests\"\n";
    let gateway = gateway(&cloud, local.to_owned()).await;
    let pipeline = |options: &str| {
        echo("b", "/b").replace("backends = ", "middleware = [\"m\"]\nbackends = ")
            + &format!("[middleware.m]\ntype = \"mesh_auth\"\noptions.mesh_name = \"clinic\"\n{options}")
    };
    let bad = cloud.change(
        "edge",
        "pipeline",
        &pipeline("options.jwt_secret = \"the-guess-of-a-control-plane-0123456789\"\n"),
    );
    let view = cloud.wait_until_settled(&bad).await;
    let reason = format!("{:?} {:?}", view.error_message, view.error_details);
    assert!(view.status == Status::Failed && reason.contains("middleware.m.options.jwt_secret"), "{reason}");
    assert!(!reason.contains("a-mesh-secret") && !reason.contains("the-guess"), "{reason}");
    let good = cloud.change("edge", "pipeline", &pipeline(""));
    assert_eq!(cloud.wait_until_settled(&good).await.status, Status::Applied);
    let url = format!("http://127.0.0.1:{}/b/x", gateway.port);
    assert_eq!(client().get(&url).send().await.unwrap().status(), 403);
    let token = harmony_tests::Forged::of("clinic").jwt();
    assert_eq!(client().get(&url).bearer_auth(token).send().await.unwrap().status(), 200);
}
