//! A mesh of two nodes: two real processes in front of an upstream.

use std::path::Path;

use harmony_tests::{Forged, Gateway, Upstream, Workdir, free_port, rsa_pair};
use jsonwebtoken::Algorithm;
use reqwest::{Response, StatusCode};
use serde_json::json;

/// The public example configurations, if they are in the directory beside the repository.
const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/harmony-configs");
/// The example of this repository, with the same structure.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mesh");

const MESH: &str = "test_mesh";
const MESH_SECRET: &str = "mesh-test-secret-key-change-in-production";

struct TwoNodes {
    a: u16,
    b: u16,
    upstream: Upstream,
    _gateways: [Gateway; 2],
    _dirs: [Workdir; 2],
}

impl TwoNodes {
    /// Starts the example in `examples` with hosts and ports substituted.
    async fn start(examples: &str) -> Self {
        Self::start_with(examples, |_| {}, |_| {}).await
    }

    async fn start_with(examples: &str, change_a: impl Fn(&Workdir), change_b: impl Fn(&Workdir)) -> Self {
        let upstream = Upstream::with_body("from the upstream").await;
        let (a, b) = (free_port(), free_port());
        let substitute = |own: u16, admin: u16| {
            let upstream = upstream.address().to_string();
            move |text: String| {
                text.replace("backend.mesh.local:5000", &upstream)
                    .replace("node-a.mesh.local:8080", &format!("127.0.0.1:{a}"))
                    .replace("bind_port = 8080", &format!("bind_port = {own}"))
                    .replace("bind_port = 9090", &format!("bind_port = {admin}"))
            }
        };
        let dir_a = Workdir::copy_of(format!("{examples}/node-a").as_ref(), substitute(a, free_port()));
        let dir_b = Workdir::copy_of(format!("{examples}/node-b").as_ref(), substitute(b, free_port()));
        change_a(&dir_a);
        change_b(&dir_b);
        let gateways = [Gateway::start(&dir_a.config()).await, Gateway::start(&dir_b.config()).await];
        Self { a, b, upstream, _gateways: gateways, _dirs: [dir_a, dir_b] }
    }

    /// Starts the example with an RSA key pair: node B signs, node A verifies. Also returns the public key.
    async fn with_rsa() -> (Self, String) {
        let (private, public) = rsa_pair();
        let secret = format!("jwt_secret = \"{MESH_SECRET}\"");
        let nodes = Self::start_with(
            OWN,
            |a| {
                a.write("public.pem", &public);
                a.edit("config.toml", &secret, "jwt_public_key_path = \"public.pem\"");
            },
            |b| {
                b.write("private.pem", &private);
                b.edit("config.toml", &secret, "jwt_private_key_path = \"private.pem\"");
            },
        )
        .await;
        (nodes, public)
    }

    /// Sends a request directly to node A.
    async fn request_a(&self, token: Option<&str>) -> Response {
        let mut request = harmony_tests::client().get(format!("http://127.0.0.1:{}/api/hello", self.a));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.expect("a response of node A")
    }

    /// Checks that node A rejects `token` with a reason that contains `word`.
    async fn assert_rejected(&self, token: &str, word: &str) {
        let answer = self.request_a(Some(token)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let message = answer.text().await.expect("a text");
        assert!(message.contains(word), "{message} does not contain {word:?}");
        assert!(!message.contains(token), "the rejection contains the token");
        assert!(self.upstream.requests().is_empty(), "the rejected request reached the upstream");
    }
}

/// Returns a token that node A accepts.
fn valid() -> Forged {
    Forged::of(MESH).signed_with(MESH_SECRET.as_bytes())
}

async fn check_both_nodes(examples: &str) {
    let nodes = TwoNodes::start(examples).await;
    let answer = harmony_tests::get(format!("http://127.0.0.1:{}/api/hello?x=1", nodes.b)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.text().await.unwrap(), "from the upstream");
    let request = nodes.upstream.last_request();
    assert_eq!(request.uri, "/hello?x=1");
    assert!(!request.headers.contains_key("authorization"), "the mesh token is not forwarded");
    assert_eq!(request.headers.get_all("via").iter().count(), 2);

    assert_eq!(nodes.request_a(None).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(nodes.upstream.requests().len(), 1);
}

/// A request to node B reaches the upstream through node A, and node A rejects one without a token.
#[tokio::test]
async fn a_request_passes_both_nodes() {
    check_both_nodes(OWN).await;
}

#[tokio::test]
async fn the_public_example_works() {
    if !Path::new(PUBLIC).is_dir() {
        eprintln!("skipped: the public example configurations are not beside this checkout");
        return;
    }
    check_both_nodes(PUBLIC).await;
}

#[tokio::test]
async fn a_valid_forged_token_is_accepted() {
    let nodes = TwoNodes::start(OWN).await;
    assert_eq!(nodes.request_a(Some(&valid().jwt())).await.status(), StatusCode::OK);
    let aud = format!("http://127.0.0.1:{}/api", nodes.a);
    assert_eq!(nodes.request_a(Some(&valid().claim("aud", json!(aud)).jwt())).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_expired_token_is_rejected() {
    TwoNodes::start(OWN).await.assert_rejected(&valid().shifted(-400).jwt(), "expired").await;
}

#[tokio::test]
async fn a_token_of_another_mesh_is_rejected() {
    let other = Forged::of("other_mesh").signed_with(MESH_SECRET.as_bytes());
    TwoNodes::start(OWN).await.assert_rejected(&other.jwt(), "iss").await;
}

#[tokio::test]
async fn another_mesh_id_is_rejected() {
    TwoNodes::start(OWN)
        .await
        .assert_rejected(&valid().claim("mesh_id", json!("01OTHER")).jwt(), "mesh_id")
        .await;
}

#[tokio::test]
async fn another_hmac_key_is_rejected() {
    let other = valid().signed_with(b"another-secret-of-more-than-32-bytes-length");
    TwoNodes::start(OWN).await.assert_rejected(&other.jwt(), "signature").await;
}

#[tokio::test]
async fn alg_none_is_rejected() {
    TwoNodes::start(OWN).await.assert_rejected(&valid().unsigned(), "none").await;
}

#[tokio::test]
async fn another_audience_is_rejected() {
    let nodes = TwoNodes::start(OWN).await;
    let elsewhere = valid().claim("aud", json!("http://node-c.mesh.local:8080"));
    nodes.assert_rejected(&elsewhere.jwt(), "aud").await;
}

#[tokio::test]
async fn a_mesh_with_rsa_keys_signs_and_verifies() {
    let (nodes, _) = TwoNodes::with_rsa().await;
    let answer = harmony_tests::get(format!("http://127.0.0.1:{}/api/hello", nodes.b)).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "from the upstream");
}

#[tokio::test]
async fn rsa_public_key_as_hmac_secret_is_rejected() {
    let (nodes, public) = TwoNodes::with_rsa().await;
    let mut confused = valid().signed_with(public.as_bytes());
    confused.algorithm = Algorithm::HS256;
    nodes.assert_rejected(&confused.jwt(), "RS256").await;
}

#[tokio::test]
async fn another_rsa_key_is_rejected() {
    let (nodes, _) = TwoNodes::with_rsa().await;
    let mut other = valid().signed_with(rsa_pair().0.as_bytes());
    other.algorithm = Algorithm::RS256;
    nodes.assert_rejected(&other.jwt(), "signature").await;
}
