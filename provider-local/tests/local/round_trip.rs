//! Tokens issued by one member and verified by another.

use std::time::{Duration, SystemTime};

use jsonwebtoken::dangerous::insecure_decode_claims;
use provider_api::{ErrorKind, MeshIdentity, TokenRequest};
use serde_json::{Value, json};

use crate::forge::{claims_with, signed};
use crate::harness::{Gateway, NOW, SECRET, URL, imaging, shared};
use crate::rsa::{OURS, THEIRS, rsa};

#[tokio::test]
async fn issued_token_is_accepted() {
    for (ours, theirs) in [
        (Gateway::with_secret(), Gateway::with_secret()),
        (
            Gateway::with_keys(rsa(Some(&OURS.private), None)),
            Gateway::with_keys(rsa(None, Some(&OURS.public))),
        ),
    ] {
        let issued = ours.issue().await.unwrap();
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 300);
        assert_eq!(issued.expires_at, end);

        let claims = theirs.verify(issued.token.expose()).await.unwrap();
        assert_eq!(claims.issuer, "imaging");
        assert_eq!(claims.subject, "gateway-a");
        assert_eq!(claims.mesh_id, "01H");
        assert_eq!(claims.expires_at, end);
    }
}

#[tokio::test]
async fn issued_claims_are_exact() {
    let issued = Gateway::with_secret().issue().await.unwrap();
    let claims: Value = insecure_decode_claims(issued.token.expose()).unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": "imaging", "sub": "gateway-a", "iat": NOW, "exp": NOW + 300, "mesh_id": "01H",
        })
    );
}

/// Harmony refuses a token with `aud`, so a mesh has it only on request, and then demands it.
#[tokio::test]
async fn local_token_aud() {
    let (plain, demanding) = (Gateway::with_secret(), Gateway::with_audience(shared(SECRET)));
    let issued = demanding.issue().await.unwrap().token;
    let claims: Value = insecure_decode_claims(issued.expose()).unwrap();
    assert_eq!(claims["aud"], URL);
    assert!(demanding.verify(issued.expose()).await.is_ok() && plain.verify(issued.expose()).await.is_ok());
    let elsewhere = "https://node-c.example/r4";
    for gateway in [&demanding, &plain] {
        let refused = gateway.verify_for(&imaging(), elsewhere, issued.expose()).await.unwrap_err();
        assert!(refused.to_string().contains("`aud`"), "{refused}");
    }

    let without = plain.issue().await.unwrap().token;
    assert!(plain.verify_for(&imaging(), elsewhere, without.expose()).await.is_ok());
    let refused = demanding.refusal(without.expose()).await;
    assert_eq!(refused, "the token has no `aud`, which mesh `imaging` requires (`token_audience`)");
    for (aud, good) in [
        (json!(null), false),
        (json!([]), false),
        (json!("01H"), false),
        (json!("mesh:01H"), false),
        (json!(["mesh:01H", "https://node-c.example"]), false),
        (json!("https://node-b.example.evil/r4"), false),
        (json!(URL), true),
        (json!(["mesh:01H", "https://node-b.example"]), true),
    ] {
        let verified = demanding.verify(&signed(&claims_with("aud", Some(aud.clone())))).await;
        assert_eq!(verified.is_ok(), good, "{aud}: {verified:?}");
    }
}

#[tokio::test]
async fn half_a_key_pair_has_one_use() {
    let sender = Gateway::with_keys(rsa(Some(&OURS.private), None));
    let receiver = Gateway::with_keys(rsa(None, Some(&OURS.public)));

    let error = receiver.issue().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "mesh `imaging` has no jwt_private_key_path, so this gateway can verify its tokens but not issue them"
    );
    let token = sender.issue().await.unwrap().token;
    assert!(sender.refusal(token.expose()).await.contains("no jwt_public_key_path"));
}

#[tokio::test]
async fn members_with_key_pairs_accept_each_other() {
    let a = Gateway::with_keys(rsa(Some(&OURS.private), Some(&THEIRS.public)));
    let b = Gateway::with_keys(rsa(Some(&THEIRS.private), Some(&OURS.public)));
    assert!(b.verify(a.issue().await.unwrap().token.expose()).await.is_ok());
    assert!(a.verify(b.issue().await.unwrap().token.expose()).await.is_ok());
    assert!(a.verify(a.issue().await.unwrap().token.expose()).await.is_err());
}

#[tokio::test]
async fn token_without_sender_is_not_issued() {
    let gateway = Gateway::with_secret();
    let request = TokenRequest { mesh: imaging(), destination: URL.to_owned(), sender: String::new() };
    let error = gateway.provider.mesh_auth().unwrap().issue(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn mesh_is_identified_by_name_and_id() {
    let gateway = Gateway::with_secret();
    let token = gateway.issue().await.unwrap().token;
    for (name, id) in [("radiology", Some("01H")), ("imaging", Some("02H")), ("imaging", None)] {
        let mesh = MeshIdentity { name: name.to_owned(), id: id.map(str::to_owned) };
        let request =
            TokenRequest { mesh: mesh.clone(), destination: URL.to_owned(), sender: "a".to_owned() };
        let issued = gateway.provider.mesh_auth().unwrap().issue(&request).await;
        assert_eq!(issued.unwrap_err().kind(), ErrorKind::NotFound);
        let verified = gateway.verify_for(&mesh, URL, token.expose()).await;
        assert_eq!(verified.unwrap_err().kind(), ErrorKind::Denied);
    }
}
