//! RSA keys, generated for each run, and forged tokens.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::clock::NOW;
use crate::gateway::URL;

pub(crate) static OURS: LazyLock<Rsa> = LazyLock::new(|| Rsa::generate("ours"));
pub(crate) static THEIRS: LazyLock<Rsa> = LazyLock::new(|| Rsa::generate("theirs"));

/// A key pair and its key id.
pub(crate) struct Rsa {
    pub(crate) kid: &'static str,
    pub(crate) signing: EncodingKey,
    /// The public half as PEM, which an attacker has as well.
    pub(crate) public_pem: String,
}

impl Rsa {
    fn generate(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
        };
        let signing = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
        Self { kid, signing, public_pem: pem("PUBLIC KEY", public.as_ref()) }
    }

    /// Returns the JWK for a key set.
    pub(crate) fn published(&self) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.signing, Algorithm::RS256).unwrap()).unwrap();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = "RS256".into();
        jwk
    }

    /// Signs a token as the control plane does.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        signed(&header.to_string(), &claims.to_string(), &self.signing, Algorithm::RS256)
    }
}

pub(crate) fn key_set(keys: &[&Rsa]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.published()).collect::<Vec<_>>() })
}

/// Returns the claims of a valid token of the control plane at `api` for [`URL`].
pub(crate) fn good_claims(api: &str) -> Value {
    json!({
        "iss": api, "sub": "gateway:01OTHER", "aud": "mesh:01H", "jti": "1", "mesh_id": "01H", "dest_url": URL,
        "source_team": "acme", "iat": NOW, "nbf": NOW, "exp": NOW + 300,
    })
}

/// Signs any header and claims.
pub(crate) fn signed(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = unsigned(header, claims);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Returns the first two parts of a token.
pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}
