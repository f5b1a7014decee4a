//! The claims of properly signed tokens.

use std::sync::Arc;

use provider_api::{ErrorKind, Expected, Provider};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock::NOW;
use crate::forge::{OURS, good_claims, key_set, signed};
use crate::gateway::{Gateway, URL, imaging, mesh_auth, verify};
use crate::stand_in::StandIn;

pub(crate) const JWKS: &str = "/.well-known/jwks.json";

/// A stand-in that publishes a key set, and a provider for it.
pub(crate) struct Cloud {
    pub(crate) stand_in: StandIn,
    pub(crate) gateway: Gateway,
    pub(crate) provider: Arc<dyn Provider>,
}

impl Cloud {
    pub(crate) async fn publishing() -> Self {
        let stand_in = StandIn::with(JWKS, || Answer::json(&key_set(&[&OURS]))).await;
        let gateway = Gateway::authorized();
        let provider = gateway.provider(&stand_in.url());
        Self { stand_in, gateway, provider }
    }

    /// Returns the claims of a valid token with some replaced, or removed with null.
    pub(crate) fn claims(&self, changes: Value) -> Value {
        let mut claims = good_claims(&self.stand_in.url());
        let fields = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => fields.remove(name),
                value => fields.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// Returns the reason why `token` is denied. Panics when it is accepted, or when the reason quotes it.
    pub(crate) async fn refusal(&self, token: &str) -> String {
        let error = verify(&self.provider, token).await.expect_err("to be denied");
        let all = format!("{error} {error:?}");
        assert_eq!(error.kind(), ErrorKind::Denied, "{all}");
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!all.contains(part), "{all}");
        }
        error.to_string()
    }
}

// Shows that the denials below are not due to a fault of the forged token.
#[tokio::test]
async fn valid_tokens_are_accepted() {
    let cloud = Cloud::publishing().await;
    for changes in [
        json!({}),
        json!({ "aud": ["other", "mesh:01H"] }),
        json!({ "iss": format!("{}/api", cloud.stand_in.url()) }),
        json!({ "iss": "01H" }),
        json!({ "dest_url": "https://node-b.example" }),
        json!({ "dest_url": "https://NODE-B.example:443/r4/" }),
        json!({ "nbf": null, "iat": null }),
        json!({ "exp": NOW - 59, "nbf": NOW + 60, "iat": NOW + 60 }),
        json!({ "exp": NOW as f64 + 0.5 }),
    ] {
        let outcome = verify(&cloud.provider, &OURS.sign(&cloud.claims(changes.clone()))).await;
        let subject = outcome.map(|claims| claims.subject).map_err(|error| error.to_string());
        assert_eq!(subject.as_deref(), Ok("gateway:01OTHER"), "{changes}");
    }
}

#[tokio::test]
async fn other_issuer_mesh_or_audience_is_denied() {
    let cloud = Cloud::publishing().await;
    let api = cloud.stand_in.url();
    let port = api.rsplit(':').next().unwrap();
    let cases = [
        (json!({ "iss": "https://api.runbeam.cloud" }), "`iss`"),
        (json!({ "iss": "https://api.runbeam.io" }), "`iss`"),
        (json!({ "iss": "http://app.runbeam.io/api" }), "`iss`"),
        (json!({ "iss": "01X" }), "`iss`"),
        (json!({ "iss": "01H " }), "`iss`"),
        (json!({ "iss": api.replace("http://", "http://user@") }), "`iss`"),
        (json!({ "iss": api.replace("http:", "https:") }), "`iss`"),
        (json!({ "iss": format!("http://127.0.0.1.evil.example:{port}") }), "`iss`"),
        (json!({ "iss": format!("https://evil.example/{api}") }), "`iss`"),
        (json!({ "iss": format!("http://127.0.0.1:{port}@evil.example/") }), "`iss`"),
        (json!({ "iss": "imaging" }), "`iss`"),
        (json!({ "iss": "" }), "`iss`"),
        (json!({ "iss": null }), "missing"),
        (json!({ "aud": "mesh:01X" }), "mesh 01H"),
        (json!({ "aud": "01H" }), "mesh 01H"),
        (json!({ "aud": "mesh:01H2" }), "mesh 01H"),
        (json!({ "aud": "runbeam-cli" }), "mesh 01H"),
        (json!({ "aud": [] }), "mesh 01H"),
        (json!({ "aud": null }), "missing"),
        (json!({ "aud": { "mesh:01H": true } }), "wrong type"),
        (json!({ "mesh_id": "01X" }), "mesh 01H"),
        (json!({ "mesh_id": "01h" }), "mesh 01H"),
        (json!({ "mesh_id": "imaging" }), "mesh 01H"),
        (json!({ "mesh_id": "" }), "mesh 01H"),
        (json!({ "mesh_id": null }), "missing"),
        (json!({ "sub": " " }), "`sub`"),
        (json!({ "sub": null }), "missing"),
    ];
    for (changes, why) in cases {
        let reason = cloud.refusal(&OURS.sign(&cloud.claims(changes.clone()))).await;
        assert!(reason.contains(why), "{changes}: {reason}");
    }
}

#[tokio::test]
async fn other_destination_is_denied() {
    let cloud = Cloud::publishing().await;
    for destination in [
        "https://node-b.example/r",
        "https://node-b.example/r4evil",
        "https://node-b.example/r4/Patient",
        "https://node-b.example/R4",
        "http://node-b.example/r4",
        "https://node-b.example:8443/r4",
        "https://node-b.example.evil/r4",
        "https://evil.example/?https://node-b.example/r4",
        "/r4",
        "",
    ] {
        let reason = cloud.refusal(&OURS.sign(&cloud.claims(json!({ "dest_url": destination })))).await;
        assert!(reason.contains("another destination"), "{destination}: {reason}");
    }
    assert!(cloud.refusal(&OURS.sign(&cloud.claims(json!({ "dest_url": null })))).await.contains("missing"));
    let token = OURS.sign(&cloud.claims(json!({})));
    let accepted_for = async |url: &str| {
        mesh_auth(&cloud.provider).verify(&Expected { mesh: &imaging(), url }, &token).await.is_ok()
    };
    assert!(accepted_for(&format!("{URL}/Patient/1")).await);
    for url in
        ["https://node-b.example/r4evil", "https://node-b.example/r4/../admin", "https://node-b.example/"]
    {
        assert!(!accepted_for(url).await, "{url}");
    }
}

#[tokio::test]
async fn expired_and_future_tokens_are_denied() {
    let cloud = Cloud::publishing().await;
    for (changes, why) in [
        (json!({ "exp": NOW - 60 }), "expired 1 min ago"),
        (json!({ "exp": 0 }), "expired"),
        (json!({ "nbf": NOW + 300 }), "differ by 5 min;"),
        (json!({ "iat": NOW + 61 }), "future"),
        (json!({ "exp": null }), "missing"),
        (json!({ "exp": "2099-01-01T00:00:00Z" }), "wrong type"),
        (json!({ "exp": -1 }), "not valid"),
        (json!({ "exp": 1e300 }), "out of range"),
        (json!({ "exp": u64::MAX }), "out of range"),
        (json!({ "nbf": -1 }), "not valid"),
    ] {
        let reason = cloud.refusal(&OURS.sign(&cloud.claims(changes.clone()))).await;
        assert!(reason.contains(why), "{changes}: {reason}");
    }
    let token = OURS.sign(&cloud.claims(json!({})));
    cloud.gateway.clock.set(NOW + 359);
    assert!(verify(&cloud.provider, &token).await.is_ok());
    cloud.gateway.clock.set(NOW + 360);
    assert!(cloud.refusal(&token).await.contains("expired"));
}

#[tokio::test]
async fn duplicate_claim_is_denied() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    for twice in [r#""mesh_id":"01X""#, r#""exp":1"#, r#""iss":"https://evil.example""#] {
        let claims = claims.replacen('{', &format!("{{{twice},"), 1);
        let token =
            signed(r#"{"alg":"RS256","kid":"ours"}"#, &claims, &OURS.signing, jsonwebtoken::Algorithm::RS256);
        assert!(cloud.refusal(&token).await.contains("twice"), "{twice}");
    }
}
