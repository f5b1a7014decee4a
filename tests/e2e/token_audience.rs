//! The claim `aud` of local mesh tokens.

use harmony_tests::site::{Site, forward, ingress};
use harmony_tests::{Forged, SECRET, Upstream, client, eventually};
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

/// Sends a request through the mesh and returns the token that the other gateway received.
async fn sent(site: &Site, upstream: &Upstream) -> String {
    let answer = client().get(site.url("/out/x")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let request = upstream.last_request();
    let header = request.headers["authorization"].to_str().unwrap();
    header.strip_prefix("Bearer ").expect("a mesh token").to_owned()
}

async fn received(site: &Site, token: &Forged) -> u16 {
    let request = client().get(site.url("/in/x")).header("host", "in.example").bearer_auth(token.jwt());
    request.send().await.unwrap().status().as_u16()
}

/// Harmony validates with the defaults of jsonwebtoken: any `aud` is refused. So a token has one only if the mesh says
/// so, and such a mesh accepts no token without. An edit takes effect at once, for the cached tokens too.
#[tokio::test]
async fn local_token_aud() {
    let upstream = Upstream::with_body("theirs").await;
    let mesh = format!(
        "[mesh.m]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"{SECRET}\"\n\
         ingress = [\"node_b\", \"in\"]\negress = [\"out\"]\n"
    );
    let sections = forward("out", "/out", &format!("{}/b", upstream.url()))
        + "[pipelines.out.mesh.egress.out]\ntype = \"http\"\n"
        + &forward("in", "/in", &upstream.url())
        + &ingress("in", "in", "http://in.example/in", "mesh")
        + &format!("[remote_ingress.node_b]\nurls = [\"{}/b\"]\n", upstream.url())
        + &mesh;
    let site = Site::serving(&sections).await;

    let token = sent(&site, &upstream).await;
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let as_harmony = decode::<Value>(&token, &key, &Validation::new(Algorithm::HS256));
    let claims = as_harmony.expect("Harmony accepts the token").claims;
    assert_eq!((&claims["iss"], &claims["mesh_id"], claims.get("aud")), (&json!("m"), &json!("m"), None));
    let (without, here, elsewhere, whole_mesh) = (
        Forged::of("m"),
        Forged::of("m").claim("aud", json!("http://in.example/in")),
        Forged::of("m").claim("aud", json!("http://node-c.example/in")),
        Forged::of("m").claim("aud", json!("mesh:m")),
    );
    assert_eq!(received(&site, &without).await, 200);
    assert_eq!(received(&site, &here).await, 200);
    assert_eq!(received(&site, &whole_mesh).await, 200);
    assert_eq!(received(&site, &elsewhere).await, 403);

    site.dir.edit("config.toml", "[mesh.m]\n", "[mesh.m]\ntoken_audience = true\n");
    let generation = || async { (site.host.snapshot().generation() > 1).then_some(()).ok_or("not live") };
    eventually("the edit", generation).await;
    let token = sent(&site, &upstream).await;
    let claims: Value = insecure_decode_claims(&token).unwrap();
    assert_eq!(claims["aud"], format!("{}/b", upstream.url()));
    assert_eq!(received(&site, &without).await, 403, "the verified token was forgotten");
    assert_eq!(received(&site, &whole_mesh).await, 403);
    assert_eq!(received(&site, &elsewhere).await, 403);
    assert_eq!(received(&site, &here).await, 200);
}
