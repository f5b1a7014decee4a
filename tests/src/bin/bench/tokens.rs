use harmony_tests::{Forged, SECRET, rsa_pair};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use crate::Outcome;

/// The mesh that is measured with.
pub(crate) const MESH: &str = "bench";

/// Longer than any run.
const LIFETIME_SECS: i64 = 24 * 3600;

/// The keys of a mesh.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// One secret for all: HS256.
    Shared,
    /// RS256.
    Rsa { private: String, public: String },
}

impl Keys {
    /// A key pair made for this run.
    pub(crate) fn rsa() -> Self {
        let (private, public) = rsa_pair();
        Self::Rsa { private, public }
    }

    /// A token as a member of the mesh sends it to `audience`.
    pub(crate) fn token(&self, audience: &str) -> String {
        self.forged(audience).jwt()
    }

    /// The same token, signed by somebody else.
    pub(crate) fn strangers_token(&self, audience: &str) -> String {
        let stranger = match self {
            Self::Shared => "a-secret-that-is-no-less-long-and-not-the-mesh's".to_owned(),
            Self::Rsa { .. } => rsa_pair().0,
        };
        self.forged(audience).signed_with(stranger.as_bytes()).jwt()
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

/// Checks what an upstream was sent as Authorization: a token of the mesh for `audience`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_issued(authorization: &[u8], audience: &str) -> Outcome<()> {
    let text = String::from_utf8_lossy(authorization);
    let token = text.strip_prefix("Bearer ").ok_or_else(|| format!("no token was attached: {text:?}"))?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&[audience]);
    let claims = decode::<Value>(token, &DecodingKey::from_secret(SECRET.as_bytes()), &validation)
        .map_err(|e| format!("the attached token is not good: {e}"))?
        .claims;
    match claims["mesh_id"] == MESH {
        true => Ok(()),
        false => Err(format!("the attached token is of another mesh: {claims}")),
    }
}
