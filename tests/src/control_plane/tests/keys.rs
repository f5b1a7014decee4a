//! Tests of the published keys.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::client::{get, request};
use crate::control_plane::ControlPlane;

async fn published(cloud: &ControlPlane) -> JwkSet {
    let plain = get(cloud, "/.well-known/jwks.json", "").await.body;
    assert_eq!(plain, get(cloud, "/api/.well-known/jwks.json", "").await.body);
    serde_json::from_value(plain).unwrap()
}

fn verifies(keys: &JwkSet, token: &str) -> bool {
    let kid = decode_header(token).unwrap().kid.unwrap();
    let Some(key) = keys.find(&kid) else { return false };
    decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &Validation::new(Algorithm::RS256)).is_ok()
}

#[tokio::test]
async fn old_keys_stay_published_until_dropped() {
    let cloud = ControlPlane::start().await;
    let old = cloud.user_token("radiology");
    cloud.rotate_keys();
    let new = cloud.user_token("radiology");
    let both = published(&cloud).await;
    assert!(verifies(&both, &old) && verifies(&both, &new));
    assert_ne!(decode_header(&old).unwrap().kid, decode_header(&new).unwrap().kid);
    cloud.drop_old_keys();
    let one = published(&cloud).await;
    assert!(!verifies(&one, &old) && verifies(&one, &new));
    assert_eq!(get(&cloud, "/gateways", &old).await.status, 401, "a user token of a dropped key is rejected");
}

#[tokio::test]
async fn the_key_set_has_a_max_age() {
    let cloud = ControlPlane::builder().jwks_max_age(60).start().await.unwrap();
    let send = || request(&cloud, "GET", "/.well-known/jwks.json", "");
    let first = send().send().await.unwrap();
    assert_eq!(first.headers()["cache-control"], "public, max-age=60");
    let again = send().header("if-none-match", &first.headers()["etag"]).send().await.unwrap();
    assert_eq!(again.status(), 304);
}
