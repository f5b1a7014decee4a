//! Algorithms and signatures: the key decides the algorithm, a token never does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use crate::claims::{Cloud, JWKS};
use crate::forge::{OURS, THEIRS, signed, unsigned};
use crate::gateway::verify;

fn header(algorithm: &str) -> String {
    json!({ "typ": "JWT", "alg": algorithm, "kid": "ours" }).to_string()
}

#[tokio::test]
async fn unsigned_token_is_denied() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    for name in ["none", "None", "NONE", ""] {
        let bare = unsigned(&header(name), &claims);
        for token in [format!("{bare}."), format!("{bare}.YW55")] {
            assert!(cloud.refusal(&token).await.contains("`alg` is `none` or unknown"), "{name}");
        }
    }
    cloud.refusal(&format!("{}.", unsigned(&header("RS256"), &claims))).await;
}

#[tokio::test]
async fn hmac_with_the_public_key_is_denied() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    let published = OURS.published();
    let modulus = published["n"].as_str().unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    for secret in [OURS.public_pem.as_bytes(), OURS.public_pem.trim().as_bytes(), modulus.as_bytes(), &bytes]
    {
        for (name, algorithm) in
            [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
        {
            let token = signed(&header(name), &claims, &EncodingKey::from_secret(secret), algorithm);
            let reason = cloud.refusal(&token).await;
            assert_eq!(reason, "the token is not signed with RS256, the algorithm of its key");
        }
    }
}

#[tokio::test]
async fn other_algorithm_of_the_family_is_denied() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = signed(&header(&format!("{algorithm:?}")), &claims, &OURS.signing, algorithm);
        assert!(cloud.refusal(&token).await.contains("not signed with RS256"), "{algorithm:?}");
        // The header has the algorithm of the key, the signature another one.
        let token = signed(&header("RS256"), &claims, &OURS.signing, algorithm);
        assert!(cloud.refusal(&token).await.contains("signature"), "{algorithm:?}");
    }
}

#[tokio::test]
async fn other_key_is_denied_under_any_id() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({}));
    assert!(cloud.refusal(&THEIRS.sign(&claims)).await.contains("does not publish"));
    let token = signed(&header("RS256"), &claims.to_string(), &THEIRS.signing, Algorithm::RS256);
    assert!(cloud.refusal(&token).await.contains("signature"));
}

#[tokio::test]
async fn key_of_the_token_header_is_not_used() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    let jku = format!("{}/evil.json", cloud.stand_in.url());
    for kid in ["ours", "theirs"] {
        let header = json!({ "alg": "RS256", "kid": kid, "jwk": THEIRS.published(), "jku": jku, "x5u": jku });
        let token = signed(&header.to_string(), &claims, &THEIRS.signing, Algorithm::RS256);
        cloud.refusal(&token).await;
    }
    assert!(
        cloud.stand_in.requests().iter().all(|request| request.is_for(JWKS)),
        "{:?}",
        cloud.stand_in.requests()
    );
}

#[tokio::test]
async fn critical_extension_is_denied() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    for header in [
        r#"{"alg":"RS256","kid":"ours","crit":["b64"],"b64":true}"#,
        r#"{"alg":"RS256","kid":"ours","crit":[]}"#,
        r#"{"alg":"RS256","kid":"ours","crit":["exp"]}"#,
    ] {
        let token = signed(header, &claims, &OURS.signing, Algorithm::RS256);
        assert!(cloud.refusal(&token).await.contains("`crit`"), "{header}");
    }
}

#[tokio::test]
async fn changed_part_breaks_the_signature() {
    let cloud = Cloud::publishing().await;
    let good = OURS.sign(&cloud.claims(json!({})));
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let evil = URL_SAFE_NO_PAD.encode(cloud.claims(json!({ "sub": "gateway:01EVIL" })).to_string());
    assert!(cloud.refusal(&format!("{header}.{evil}.{signature}")).await.contains("signature"));
    assert!(verify(&cloud.provider, &good).await.is_ok());
}

#[tokio::test]
async fn malformed_token_causes_no_request() {
    let cloud = Cloud::publishing().await;
    let claims = cloud.claims(json!({})).to_string();
    let long = "k".repeat(257);
    let deep = "[".repeat(5000);
    let headers = [
        json!({ "alg": "RS256" }).to_string(),
        json!({ "alg": "RS256", "kid": "" }).to_string(),
        json!({ "alg": "RS256", "kid": long }).to_string(),
        json!({ "alg": "RS256", "kid": ["ours"] }).to_string(),
        deep,
    ];
    for header in headers {
        cloud.refusal(&signed(&header, &claims, &OURS.signing, Algorithm::RS256)).await;
    }
    let good = OURS.sign(&cloud.claims(json!({})));
    let large = format!("{good}{}", "A".repeat(8 * 1024));
    for token in ["", ".", "..", "a.b.c", "a.b.c.d", "\0.\0.\0", "é.é.é", "1|sanctum", &large] {
        cloud.refusal(token).await;
    }
    assert!(cloud.stand_in.requests().is_empty(), "{:?}", cloud.stand_in.requests());
}
