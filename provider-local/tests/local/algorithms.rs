//! Algorithms and signatures: the key decides the algorithm, a token never does.

use jsonwebtoken::{Algorithm, EncodingKey};

use crate::forge::{base64url, good_claims, signed, signed_text, signed_with, unsigned};
use crate::harness::{Gateway, SECRET, shared};
use crate::rsa::{OURS, THEIRS};

fn header(algorithm: &str) -> String {
    format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#)
}

// Shows that the denials below are not due to a fault of the forged token.
#[tokio::test]
async fn forged_token_is_valid() {
    assert_eq!(Gateway::with_secret().verify(&signed(&good_claims())).await.unwrap().subject, "gateway-b");
    let key = EncodingKey::from_rsa_pem(OURS.private.as_bytes()).unwrap();
    let token = signed_with(&header("RS256"), &good_claims().to_string(), &key, Algorithm::RS256);
    assert_eq!(Gateway::with_keys(OURS.both()).verify(&token).await.unwrap().subject, "gateway-b");
}

#[tokio::test]
async fn unsigned_token_is_denied() {
    for gateway in [Gateway::with_secret(), Gateway::with_keys(OURS.both())] {
        for name in ["none", "None", "NONE", "nOnE", ""] {
            let bare = unsigned(&header(name), &good_claims().to_string());
            let signature = base64url(b"any");
            for token in [format!("{bare}."), format!("{bare}.{signature}")] {
                assert!(gateway.refusal(&token).await.contains("`alg` is `none` or unknown"), "{name}");
            }
            assert!(gateway.refusal(&bare).await.contains("three parts"), "{name}");
        }
        let empty = format!("{}.", unsigned(&header("HS256"), &good_claims().to_string()));
        gateway.refusal(&empty).await;
    }
}

#[tokio::test]
async fn hmac_with_the_public_key_is_denied() {
    let gateway = Gateway::with_keys(OURS.both());
    for secret in [OURS.public.as_bytes(), OURS.public.trim().as_bytes()] {
        let key = EncodingKey::from_secret(secret);
        let token = signed_with(&header("HS256"), &good_claims().to_string(), &key, Algorithm::HS256);
        let reason = gateway.refusal(&token).await;
        assert_eq!(reason, "the token has the algorithm HS256; mesh `imaging` accepts RS256 only");
    }
}

#[tokio::test]
async fn other_algorithm_of_the_family_is_denied() {
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let name = format!("{algorithm:?}");
        let token = signed_with(&header(&name), &good_claims().to_string(), &secret, algorithm);
        assert!(Gateway::with_secret().refusal(&token).await.contains("accepts HS256 only"), "{name}");
    }
    let private = EncodingKey::from_rsa_pem(OURS.private.as_bytes()).unwrap();
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let name = format!("{algorithm:?}");
        let token = signed_with(&header(&name), &good_claims().to_string(), &private, algorithm);
        assert!(
            Gateway::with_keys(OURS.both()).refusal(&token).await.contains("accepts RS256 only"),
            "{name}"
        );
    }
    // The header has the algorithm of the mesh, the signature another one.
    let token = signed_with(&header("HS256"), &good_claims().to_string(), &secret, Algorithm::HS512);
    assert!(Gateway::with_secret().refusal(&token).await.contains("signature"));
}

#[tokio::test]
async fn other_key_is_denied() {
    let token = Gateway::with_keys(shared("another secret of some length....")).issue().await.unwrap().token;
    let reason = Gateway::with_secret().refusal(token.expose()).await;
    assert_eq!(reason, "the signature of the token does not match the key of mesh `imaging`");

    let token = Gateway::with_keys(THEIRS.both()).issue().await.unwrap().token;
    let reason = Gateway::with_keys(OURS.both()).refusal(token.expose()).await;
    assert_eq!(reason, "the signature of the token does not match the key of mesh `imaging`");
}

#[tokio::test]
async fn changed_part_breaks_the_signature() {
    let mut altered = good_claims();
    altered["sub"] = "gateway-evil".into();
    for gateway in [Gateway::with_secret(), Gateway::with_keys(OURS.both())] {
        let issued = gateway.issue().await.unwrap().token;
        let [header, claims, signature] = issued.expose().split('.').collect::<Vec<_>>()[..] else {
            panic!("three parts");
        };
        let payload = base64url(altered.to_string().as_bytes());
        let flipped: String = signature.chars().rev().collect();
        for token in [format!("{header}.{payload}.{signature}"), format!("{header}.{claims}.{flipped}")] {
            gateway.refusal(&token).await;
        }
    }
}

#[tokio::test]
async fn critical_extension_is_denied() {
    let token = signed_text(r#"{"alg":"HS256","crit":["b64"],"b64":true}"#, &good_claims().to_string());
    assert!(Gateway::with_secret().refusal(&token).await.contains("`crit`"));
}

#[tokio::test]
async fn key_of_the_token_header_is_not_used() {
    let attacker = EncodingKey::from_secret(b"attacker");
    let header = format!(
        r#"{{"alg":"HS256","jku":"https://evil.example/","jwk":{{"kty":"oct","k":"{}"}}}}"#,
        base64url(b"attacker")
    );
    let token = signed_with(&header, &good_claims().to_string(), &attacker, Algorithm::HS256);
    assert!(Gateway::with_secret().refusal(&token).await.contains("signature"));
}

#[tokio::test]
async fn garbage_is_denied() {
    let gateway = Gateway::with_secret();
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let valid = signed(&good_claims());
    let cut = &valid[..valid.len() - 1];
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d",
        "\0.\0.\0",
        "é.é.é",
        "Basic dXNlcjpwYXNz",
        "1|sanctum-token-of-an-application",
        cut,
        &format!(" {valid}"),
        &format!("{valid}="),
        &format!("{}.{}.x", base64url(&deep.as_bytes()[..2000]), base64url(b"{}")),
    ] {
        gateway.refusal(token).await;
    }
    for claims in ["", "null", "[]", "7", "{", "{}", "{\"iss\":", &deep[..1000], "\u{feff}{}"] {
        gateway.refusal(&signed_text(&header("HS256"), claims)).await;
    }
}

#[tokio::test]
async fn oversized_token_is_denied() {
    let gateway = Gateway::with_secret();
    let padded = |pad: usize| {
        let mut claims = good_claims();
        claims["pad"] = "x".repeat(pad).into();
        signed(&claims)
    };
    assert!(gateway.verify(&padded(5000)).await.is_ok());
    let token = padded(7000);
    assert!(token.len() > 8192);
    assert!(gateway.refusal(&token).await.contains("at most 8192"));
}
