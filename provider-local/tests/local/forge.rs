//! Forged tokens, which no provider would issue.

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::harness::{NOW, SECRET, URL};

/// Returns the claims of a valid token for [`URL`].
pub(crate) fn good_claims() -> Value {
    json!({
        "iss": "imaging", "sub": "gateway-b", "aud": URL, "iat": NOW, "exp": NOW + 300, "mesh_id": "01H",
    })
}

/// Returns [`good_claims`] with one claim replaced, or removed with `None`.
pub(crate) fn claims_with(name: &str, value: Option<Value>) -> Value {
    let mut claims = good_claims();
    let fields = claims.as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
    claims
}

/// Signs any claims with the secret of the mesh.
pub(crate) fn signed(claims: &Value) -> String {
    signed_text(r#"{"typ":"JWT","alg":"HS256"}"#, &claims.to_string())
}

/// Signs a header and claims in any text, also one that no serializer would write.
pub(crate) fn signed_text(header: &str, claims: &str) -> String {
    signed_with(header, claims, &EncodingKey::from_secret(SECRET.as_bytes()), Algorithm::HS256)
}

pub(crate) fn signed_with(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = unsigned(header, claims);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Returns the first two parts of a token.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()))
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

#[test]
fn base64_matches_rfc_4648() {
    for (plain, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
    assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
}
