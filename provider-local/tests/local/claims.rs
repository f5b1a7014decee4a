//! The claims of properly signed tokens.

use serde_json::{Value, json};

use crate::forge::{claims_with, good_claims, signed, signed_text};
use crate::harness::{Gateway, NOW, denial, imaging};

/// Returns the reason why a token with one changed claim is denied.
async fn refusal_with(name: &str, value: Option<Value>) -> String {
    Gateway::with_secret().refusal(&signed(&claims_with(name, value))).await
}

async fn accepts(name: &str, value: Option<Value>) -> bool {
    Gateway::with_secret().verify(&signed(&claims_with(name, value))).await.is_ok()
}

#[tokio::test]
async fn missing_claim_is_named() {
    for name in ["iss", "sub", "exp", "iat", "mesh_id"] {
        assert_eq!(refusal_with(name, None).await, format!("the token has no `{name}`"));
        assert_eq!(refusal_with(name, Some(Value::Null)).await, format!("the token has no `{name}`"));
    }
    for optional in ["aud", "nbf"] {
        assert!(accepts(optional, None).await && accepts(optional, Some(Value::Null)).await);
    }
}

#[tokio::test]
async fn expiry_has_a_leeway() {
    let gateway = Gateway::with_secret();
    let token = gateway.issue().await.unwrap().token;
    for (later, good) in [(0, true), (300, true), (359, true), (360, false), (86_400, false)] {
        gateway.clock.set(NOW + later);
        assert_eq!(gateway.verify(token.expose()).await.is_ok(), good, "{later}");
    }
    assert!(gateway.refusal(token.expose()).await.contains("expired 23 h 55 min ago"));
}

#[tokio::test]
async fn future_token_is_denied() {
    for name in ["iat", "nbf"] {
        assert!(accepts(name, Some(json!(NOW + 60))).await);
        let reason = refusal_with(name, Some(json!(NOW + 61))).await;
        assert!(reason.contains("clocks of this machine and of its sender differ by 1 min 1 s"), "{reason}");
        assert!(reason.contains("from the future") && reason.contains(&format!("`{name}`")), "{reason}");
    }
}

#[tokio::test]
async fn date_is_a_non_negative_number() {
    assert!(accepts("exp", Some(json!(NOW as f64 + 10.5))).await);
    assert!(accepts("iat", Some(json!(NOW as f64 - 0.25))).await);
    for name in ["exp", "iat", "nbf"] {
        for bad in [json!(-1), json!(-0.5), json!("1750000300"), json!(true)] {
            let reason = refusal_with(name, Some(bad.clone())).await;
            assert!(reason.contains(&format!("`{name}`")), "{bad}: {reason}");
        }
        refusal_with(name, Some(json!([NOW]))).await;
    }
    // No overflow: a date out of range of `SystemTime` is denied, and a number out of range of f64 is not JSON.
    assert!(refusal_with("exp", Some(json!(u64::MAX))).await.contains("is out of range"));
    assert!(refusal_with("exp", Some(json!(1e300))).await.contains("is out of range"));
    let infinite = good_claims().to_string().replace(&(NOW + 300).to_string(), "1e999");
    Gateway::with_secret().refusal(&signed_text(r#"{"alg":"HS256"}"#, &infinite)).await;
}

#[tokio::test]
async fn issuer_and_mesh_id_must_match() {
    let reason = refusal_with("iss", Some(json!("radiology"))).await;
    assert_eq!(reason, "`iss` of the token is `radiology`, expected `imaging`");
    let reason = refusal_with("mesh_id", Some(json!("imaging"))).await;
    assert_eq!(reason, "`mesh_id` of the token is `imaging`, expected `01H`");
    for name in ["iss", "sub", "mesh_id"] {
        for bad in [json!(7), json!(["imaging"]), json!({ "name": "imaging" }), json!(true)] {
            refusal_with(name, Some(bad)).await;
        }
    }
}

#[tokio::test]
async fn blank_sender_is_denied() {
    for blank in ["", "  "] {
        assert!(refusal_with("sub", Some(json!(blank))).await.contains("`sub`"));
    }
}

#[tokio::test]
async fn claims_are_quoted_escaped() {
    let reason = refusal_with("iss", Some(json!(format!("a\n{}", "b".repeat(500))))).await;
    assert!(!reason.contains('\n') && reason.contains("`a\\n") && reason.len() < 200, "{reason}");
}

#[tokio::test]
async fn audience_covers_whole_segments() {
    let gateway = Gateway::with_secret();
    let token = signed(&claims_with("aud", Some(json!("https://node-b.example/r4"))));
    for (url, good) in [
        ("https://node-b.example/r4", true),
        ("https://node-b.example:443/r4/Patient", true),
        ("https://NODE-B.example/r4/", true),
        ("https://node-b.example/r4evil", false),
        ("https://node-b.example/", false),
        ("http://node-b.example/r4", false),
        ("https://node-b.example:8443/r4", false),
        ("https://node-c.example/r4", false),
    ] {
        match gateway.verify_for(&imaging(), url, &token).await {
            Ok(_) => assert!(good, "{url}"),
            Err(error) => assert!(!good && denial(error, &token).contains("`aud`"), "{url}"),
        }
    }
}

#[tokio::test]
async fn one_audience_of_a_list_is_enough() {
    for good in [
        json!(["https://elsewhere.example/", "https://node-b.example/"]),
        json!(["mesh:01H"]),
        json!("mesh:01H"),
        json!("01H"),
    ] {
        assert!(accepts("aud", Some(good.clone())).await, "{good}");
    }
    for bad in [json!([]), json!(["https://elsewhere.example/"]), json!("mesh:02H"), json!("imaging")] {
        assert!(refusal_with("aud", Some(bad.clone())).await.contains("`aud`"), "{bad}");
    }
    for wrong_type in [json!(7), json!(["01H", 7]), json!({ "01H": true })] {
        refusal_with("aud", Some(wrong_type)).await;
    }
}

#[tokio::test]
async fn duplicate_claim_is_denied() {
    let twice = good_claims().to_string().replacen('{', r#"{"iss":"radiology","#, 1);
    Gateway::with_secret().refusal(&signed_text(r#"{"alg":"HS256"}"#, &twice)).await;
}

#[tokio::test]
async fn unknown_claims_are_ignored() {
    assert!(accepts("jti", Some(json!({ "deep": [{}] }))).await);
}
