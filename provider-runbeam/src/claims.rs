//! The claims of a mesh token, as serde decodes them.

use serde::Deserialize;

/// The claims of a mesh token of the control plane. Decoding fails for a duplicate claim and for one of a wrong
/// type, so no two readers of a token can see different claims.
#[derive(Deserialize)]
pub(crate) struct TokenClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: Audience,
    pub(crate) mesh_id: String,
    pub(crate) dest_url: String,
    pub(crate) exp: Seconds,
    #[serde(default)]
    pub(crate) nbf: Option<Seconds>,
    #[serde(default)]
    pub(crate) iat: Option<Seconds>,
}

/// The times of a token that the control plane issued to this gateway.
#[derive(Deserialize)]
pub(crate) struct IssuedTimes {
    pub(crate) iat: Seconds,
    pub(crate) exp: Seconds,
}

/// The claim `aud`: one value or a list of values (RFC 7519, section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

/// A NumericDate (RFC 7519, section 2). A fraction of a second is cut off.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seconds {
    Whole(u64),
    Fraction(f64),
}

impl Audience {
    pub(crate) fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(aud) => aud == wanted,
            Self::Many(all) => all.iter().any(|aud| aud == wanted),
        }
    }
}

impl Seconds {
    /// Returns the seconds since 1970, or `None` for a value that is not a date.
    pub(crate) fn get(self) -> Option<u64> {
        match self {
            Self::Whole(seconds) => Some(seconds),
            // The cast saturates. A date that large is refused later, where it is converted to a time.
            Self::Fraction(seconds) => (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64),
        }
    }
}
