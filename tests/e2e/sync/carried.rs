//! References, tokens and verified tokens over an edit: what it does not change stays, what it changes is forgotten.

use std::time::{SystemTime, UNIX_EPOCH};

use harmony_host::Host;
use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::site::{echo, ingress, is_live, mesh};
use harmony_tests::{
    Forged, InProcessGateway, InProcessGatewayOptions, SECRET, Site, Upstream, client, eventually, get,
};
use serde_json::json;

use super::cold::{partners, send};

const RESOLVE: &str = "/harmony/resources/resolve";
const TOKEN: &str = "/harmony/mesh/token";

/// Waits until the files are live. The edit must be valid.
async fn live(host: &Host) {
    let verdict = host.reload().await;
    assert!(is_live(verdict.as_ref()), "{verdict:?}");
}

/// Edits a file that has nothing to do with the mesh.
async fn edit_another_file(gateway: &InProcessGateway, path: &str) {
    gateway.dir.write("pipelines/other.toml", &echo("other", path));
    live(&gateway.host).await;
}

/// Edits the description of the pipeline that sends the requests.
async fn describe(gateway: &InProcessGateway, text: &str) {
    let config = gateway.dir.read("config.toml");
    let lines = config.lines().filter(|line| !line.starts_with("description"));
    let config: String = lines.map(|line| format!("{line}\n")).collect();
    let described = format!("[pipelines.mesh]\ndescription = \"{text}\"\n");
    gateway.dir.replace("config.toml", &config.replace("[pipelines.mesh]\n", &described));
    live(&gateway.host).await;
}

#[tokio::test]
async fn edits_without_the_control_plane_fail_no_request() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    send(&gateway, 1).await;
    cloud.stop().await;
    for n in 0..3 {
        edit_another_file(&gateway, &format!("/other{n}")).await;
        send(&gateway, 3).await;
        describe(&gateway, &format!("number {n}")).await;
        send(&gateway, 3).await;
    }
    assert_eq!(upstream.requests().len(), 19);
    assert_eq!(cloud.count("POST", TOKEN), 1);
}

#[tokio::test]
async fn an_edit_asks_once_per_reference() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    send(&gateway, 1).await;
    for edit in 1..4 {
        edit_another_file(&gateway, &format!("/other{edit}")).await;
        send(&gateway, 3).await;
        cloud.wait_for_count("GET", RESOLVE, 1 + edit).await;
        send(&gateway, 3).await;
        assert_eq!(cloud.count("GET", RESOLVE), 1 + edit);
    }
    assert_eq!(cloud.count("POST", TOKEN), 1);
}

/// The resource is gone, or this gateway may not use it any more: an edit ends the cached reference as well.
#[tokio::test]
async fn a_reference_that_is_refused_after_an_edit_ends() {
    for (fault, expected) in [(404, 404), (403, 403)] {
        let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
        let gateway = partners(&cloud, &upstream, 0).await;
        send(&gateway, 1).await;
        cloud.inject(When::call("GET", RESOLVE), Fault::status(fault));
        edit_another_file(&gateway, "/other").await;
        let ended = || async {
            let status = get(gateway.url("/mesh/x")).await.unwrap().status().as_u16();
            if status == expected { Ok(()) } else { Err(status) }
        };
        eventually("the reference ends", ended).await;
    }
}

/// Another credential may be of another team: its tokens and references are its own.
#[tokio::test]
async fn a_new_credential_asks_for_everything() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    send(&gateway, 2).await;
    let user = cloud.user_token("acme");
    let request = client().post(gateway.admin_url("/admin/authorize")).bearer_auth(user);
    let answer = request.json(&json!({ "gateway_code": "edge" })).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    send(&gateway, 2).await;
    assert_eq!((cloud.count("POST", TOKEN), cloud.count("GET", RESOLVE)), (2, 2));
}

/// A pipeline that takes only tokens of the mesh `m`, through the ingress `in`.
fn guarded(mesh: &str) -> String {
    echo("in", "/in") + &ingress("in", "in", "http://in.example/r4", "mesh") + mesh
}

/// The status of a request with this token.
async fn status(url: String, token: &str) -> u16 {
    client().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// Every edit of a rule is effective with the next request, also for a token that was verified before.
#[tokio::test]
async fn an_edited_mesh_forgets_verified_tokens() {
    let other = "another-secret-of-at-least-32-bytes-length";
    let (name, id) = ("mesh_id", "01J0000000000000000000000B");
    let with_id = |id: &str| format!("type = \"http\"\nid = \"{id}\"\nprovider = \"local\"\nauth_type");
    let by_name = "type = \"http\"\nprovider = \"local\"\nauth_type";
    let listed = "ingress = [\"in\"]";
    let enabled = "mode = \"mesh\"";
    for (from, to, renewed) in [
        (SECRET, other.to_owned(), Forged::of("m").signed_with(other.as_bytes())),
        (by_name, with_id(id), Forged::of("m").claim(name, json!(id))),
        (listed, "ingress = []".to_owned(), Forged::of("nobody")),
        (enabled, format!("enabled = false\n{enabled}"), Forged::of("nobody")),
        ("[mesh.m]\n", "[mesh.m]\nenabled = false\n".to_owned(), Forged::of("nobody")),
    ] {
        let site = Site::serving(&guarded(&mesh("m", "in"))).await;
        let token = Forged::of("m").jwt();
        assert_eq!(status(site.url("/in/x"), &token).await, 200, "{to}");
        site.dir.write("pipelines/other.toml", &echo("other", "/other"));
        live(&site.host).await;
        assert_eq!(status(site.url("/in/x"), &token).await, 200, "{to}");
        site.dir.edit("config.toml", from, &to);
        live(&site.host).await;
        assert_eq!(status(site.url("/in/x"), &token).await, 403, "{to}");
        let expected = if renewed.claims["iss"] == "m" { 200 } else { 403 };
        assert_eq!(status(site.url("/in/x"), &renewed.jwt()).await, expected, "{to}");
    }
}

/// The same for a mesh of a control plane: another id, and another control plane with other keys.
#[tokio::test]
async fn an_edited_provider_forgets_verified_tokens() {
    let (cloud, other) = (ControlPlane::start().await, ControlPlane::start().await);
    let (id, another) = ("01J0000000000000000000000A", "01J0000000000000000000000B");
    for (from, to) in [(cloud.url(), other.url()), (id, another)] {
        let mesh = format!(
            "[mesh.m]\nid = \"{id}\"\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"in\"]\negress = []\n"
        );
        let options = InProcessGatewayOptions { interval: 0, sections: guarded(&mesh), ..Default::default() };
        let gateway = InProcessGateway::with(&cloud, options).await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let token = cloud.signed(&json!({
            "iss": cloud.url(), "sub": "gateway:x", "aud": format!("mesh:{id}"), "jti": "1", "mesh_id": id,
            "dest_url": "http://in.example/r4", "source_team": "t", "iat": now, "exp": now + 300,
        }));
        assert_eq!(status(gateway.url("/in/x"), &token).await, 200, "{to}");
        edit_another_file(&gateway, "/other").await;
        assert_eq!(status(gateway.url("/in/x"), &token).await, 200, "{to}");
        gateway.dir.edit("config.toml", from, to);
        live(&gateway.host).await;
        assert_eq!(status(gateway.url("/in/x"), &token).await, 403, "{to}");
    }
}
