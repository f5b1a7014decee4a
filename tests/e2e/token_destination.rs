//! The destination of a mesh token: `aud` of a local mesh, `dest_url` of one of a control plane.

use std::time::{SystemTime, UNIX_EPOCH};

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{echo, ingress, mesh};
use harmony_tests::{Forged, InProcessGateway, InProcessGatewayOptions, SECRET, Site, client};
use serde_json::json;

/// Two endpoints of one pipeline that belong to a mesh: `in` with two URLs below `/in`, and `other` below `/other`.
fn sections(mode: &str) -> String {
    echo("in", "/in").replace("endpoints = [\"in\"]", "endpoints = [\"in\", \"other\"]")
        + "[endpoints.other]\nservice = \"http\"\noptions.path_prefix = \"/other\"\n"
        + &ingress("in", "in", "http://in.example/r4", mode)
            .replace("urls = [", "endpoint = \"in\"\nurls = [\"https://in.example:8443/fhir\", ")
        + &ingress("in", "other", "http://other.example/r4", mode)
            .replace("urls = [", "endpoint = \"other\"\nurls = [")
        + &mesh("m", "in").replace("ingress = [\"in\"]", "ingress = [\"in\", \"other\"]")
        + "token_audience = true\n"
}

/// The status of a request to `path` that has this Host and a token for `aud`.
async fn status(site: &Site, host: &str, path: &str, aud: &str) -> u16 {
    let token = Forged::of("m").claim("aud", json!(aud)).jwt();
    let request = client().get(site.url(path)).header("host", host).bearer_auth(token);
    request.send().await.expect("an answer").status().as_u16()
}

/// A token of another member opens nothing: the Host header is the client's choice.
#[tokio::test]
async fn host_header_is_no_destination() {
    let site = Site::serving(&sections("mesh")).await;
    for host in ["b.example", "in.example", "in.example:8443", "b.example:80"] {
        for aud in
            ["http://b.example/in", "http://b.example", "http://in.example:8443/in", "http://in.example/in"]
        {
            assert_eq!(status(&site, host, "/in/x", aud).await, 403, "{host} {aud}");
        }
    }
}

/// A load balancer may send another Host, path and scheme: the token is for the ingress URL. The second request finds the
/// verified token.
#[tokio::test]
async fn a_balancer_may_rewrite_the_request() {
    let site = Site::serving(&sections("mesh")).await;
    for host in ["internal:8080", "b.example", "other.example", "internal:8080"] {
        for own in ["http://in.example/r4", "https://in.example:8443/fhir", "http://IN.example:80/r4/x"] {
            assert_eq!(status(&site, host, "/in/x", own).await, 200, "{host} {own}");
        }
    }
    assert_eq!(status(&site, "internal", "/in/y", "http://in.example/r4/x").await, 403);
    assert_eq!(status(&site, "internal", "/in", "http://in.example/r4/x").await, 403);
}

/// A route of an ingress URL takes the tokens for this URL; an endpoint those for its own ingresses. The tokens are
/// verified, and cached, for the other routes first.
#[tokio::test]
async fn each_route_has_its_own_urls() {
    let site = Site::serving(&sections("mesh")).await;
    let (first, second, other) =
        ("http://in.example/r4", "https://in.example:8443/fhir", "http://other.example/r4");
    for (host, path, accepted) in [
        ("internal", "/in/x", [200, 200, 403]),
        ("internal", "/other/x", [403, 403, 200]),
        ("in.example", "/r4/x", [200, 403, 403]),
        ("other.example", "/r4/x", [403, 403, 200]),
    ] {
        for (aud, expected) in [first, second, other].into_iter().zip(accepted) {
            assert_eq!(status(&site, host, path, aud).await, expected, "{host}{path} {aud}");
        }
    }
}

/// An endpoint without an ingress takes the tokens for the ingresses of its pipeline; a pipeline without any has no URL
/// that a token could be for.
#[tokio::test]
async fn mesh_auth_takes_tokens_for_the_pipeline() {
    let m = "[middleware.m]\ntype = \"mesh_auth\"\n";
    let guarded = |sections: &str| sections.replace("backends = ", "middleware = [\"m\"]\nbackends = ");
    let one = guarded(&sections("default").replace("[\"in\", \"other\"]\ntoken", "[\"in\"]\ntoken")) + m;
    let site = Site::serving(&one).await;
    for path in ["/in/x", "/other/x"] {
        assert_eq!(status(&site, "b.example", path, &format!("http://b.example{path}")).await, 403, "{path}");
        assert_eq!(status(&site, "b.example", path, "http://other.example/r4").await, 403, "{path}");
        assert_eq!(status(&site, "b.example", path, "http://in.example/r4").await, 200, "{path}");
    }

    let none = guarded(&echo("in", "/in"))
        + &format!(
            "[mesh.m]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"{SECRET}\"\ntoken_audience = true\n"
        )
        + m
        + "options.mesh_name = \"m\"\n";
    let site = Site::serving(&none).await;
    assert_eq!(status(&site, "b.example", "/in/x", "http://b.example/in").await, 403);
    let warnings: Vec<String> = site.host.snapshot().warnings().iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|line| line.contains("this pipeline has no ingress")), "{warnings:?}");
}

/// The same for the tokens of a control plane.
#[tokio::test]
async fn dest_url_is_an_ingress_url() {
    const ID: &str = "01J0000000000000000000000A";
    let cloud = ControlPlane::start().await;
    let sections = echo("a", "/a")
        + &ingress("a", "in", "http://a.example/x", "mesh")
        + &mesh("m", "in")
            .replace("provider = \"local\"", &format!("id = \"{ID}\"\nprovider = \"runbeam\""))
            .replace(&format!("jwt_secret = \"{SECRET}\"\n"), "");
    let options = InProcessGatewayOptions { sections, ..InProcessGatewayOptions::default() };
    let gateway = InProcessGateway::with(&cloud, options).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let received = async |host: &str, dest: &str| {
        let token = cloud.signed(&json!({
            "iss": cloud.url(), "sub": "gateway:x", "aud": format!("mesh:{ID}"), "jti": "1", "mesh_id": ID,
            "dest_url": dest, "source_team": "t", "iat": now, "exp": now + 300,
        }));
        let url = format!("http://127.0.0.1:{}/a/x", gateway.port);
        client().get(url).header("host", host).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    for host in ["internal", "a.example", "b.example"] {
        assert_eq!(received(host, "http://b.example/a").await, 403, "{host}");
        assert_eq!(received(host, "http://a.example/x").await, 200, "{host}");
    }
}
