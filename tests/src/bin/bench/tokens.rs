//! The mesh tokens of the benchmark.

use harmony_tests::{Forged, SECRET, rsa_pair};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use crate::Outcome;

/// The name of the mesh.
pub(crate) const MESH: &str = "bench";

/// The lifetime of the tokens: longer than any run.
const LIFETIME_SECS: i64 = 24 * 3600;

/// The keys of a mesh.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// A shared secret: HS256.
    Shared,
    /// An RSA key pair: RS256.
    Rsa { private: String, public: String },
}

impl Keys {
    /// Generates a key pair.
    pub(crate) fn rsa() -> Self {
        let (private, public) = rsa_pair();
        Self::Rsa { private, public }
    }

    /// Returns a token as a member of the mesh sends it to `audience`.
    pub(crate) fn token(&self, audience: &str) -> String {
        self.forged(audience).jwt()
    }

    /// Returns the same token signed with another key.
    pub(crate) fn foreign_token(&self, audience: &str) -> String {
        let key = match self {
            Self::Shared => "a-secret-that-is-no-less-long-and-not-the-mesh's".to_owned(),
            Self::Rsa { .. } => rsa_pair().0,
        };
        self.forged(audience).signed_with(key.as_bytes()).jwt()
    }

    fn forged(&self, audience: &str) -> Forged {
        let forged = Forged::of(MESH).claim("aud", json!(audience));
        let expires = forged.claims["iat"].as_i64().unwrap_or_default() + LIFETIME_SECS;
        let forged = forged.claim("exp", json!(expires));
        match self {
            Self::Shared => forged,
            Self::Rsa { private, .. } => {
                Forged { algorithm: Algorithm::RS256, key: private.clone().into_bytes(), ..forged }
            }
        }
    }
}

/// Checks that an upstream received a token of the mesh as Authorization.
///
/// # Errors
/// Returns a message with the mismatch.
pub(crate) fn check_issued(authorization: &[u8]) -> Outcome<()> {
    let text = String::from_utf8_lossy(authorization);
    let token = text.strip_prefix("Bearer ").ok_or_else(|| format!("no token was attached: {text:?}"))?;
    // Rejects a token with `aud`, as Harmony does.
    let validation = Validation::new(Algorithm::HS256);
    let claims = decode::<Value>(token, &DecodingKey::from_secret(SECRET.as_bytes()), &validation)
        .map_err(|e| format!("the attached token is invalid: {e}"))?
        .claims;
    match claims["mesh_id"] == MESH {
        true => Ok(()),
        false => Err(format!("the attached token is of another mesh: {claims}")),
    }
}
