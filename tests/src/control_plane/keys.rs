//! The signing keys of the control plane.

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::ulid;
use crate::token::rsa_pair;

/// The signing keys. The last one signs; all of them are published.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Keys(Vec<Key>);

#[derive(Serialize, Deserialize)]
struct Key {
    kid: String,
    private_pem: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Key {
    fn generate() -> Self {
        Self { kid: ulid(), private_pem: rsa_pair().0 }
    }

    fn encoding(&self) -> EncodingKey {
        EncodingKey::from_rsa_pem(self.private_pem.as_bytes()).expect("a key that this program made")
    }

    fn public(&self) -> Jwk {
        let mut jwk = Jwk::from_encoding_key(&self.encoding(), Algorithm::RS256).expect("an RSA key");
        jwk.common.key_id = Some(self.kid.clone());
        jwk.common.key_algorithm = Some(KeyAlgorithm::RS256);
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk
    }
}

impl Keys {
    /// Generates the first key if there is none. Not at the start, because generating one is slow and most tests need
    /// none.
    fn ensure_key(&mut self) {
        if self.0.is_empty() {
            self.0.push(Key::generate());
        }
    }

    /// Generates a new signing key. The old keys stay published.
    pub(super) fn rotate(&mut self) {
        self.ensure_key();
        self.0.push(Key::generate());
    }

    /// Drops all keys but the signing key.
    pub(super) fn drop_old(&mut self) {
        let old = self.0.len().saturating_sub(1);
        self.0.drain(..old);
    }

    /// The published key set.
    pub(super) fn published(&mut self) -> Value {
        self.ensure_key();
        json!({ "keys": self.0.iter().map(Key::public).collect::<Vec<_>>() })
    }

    /// Signs the claims as a JWT.
    pub(super) fn sign(&mut self, claims: &Value) -> String {
        self.ensure_key();
        let key = self.0.last().expect("a key exists");
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &key.encoding()).expect("claims that can be signed")
    }

    /// Returns the claims of a JWT that is signed by a published key and has not expired.
    pub(super) fn verify(&self, token: &str) -> Option<Value> {
        let kid = decode_header(token).ok()?.kid?;
        let key = self.0.iter().find(|key| key.kid == kid)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_aud = false;
        validation.leeway = 0;
        let key = DecodingKey::from_jwk(&key.public()).ok()?;
        decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
    }
}
