use serde::Deserialize;

/// The claims of a mesh token of the control plane. A claim that is there twice, or of another type, is no
/// claims at all.
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

/// `aud` is one value or a list of them (RFC 7519, section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

/// A NumericDate (RFC 7519, section 2), which may have a fraction; it is cut off.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seconds {
    Whole(u64),
    Fraction(f64),
}

impl Audience {
    pub(crate) fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(aud) => aud == wanted,
            Self::Many(all) => all.iter().any(|aud| aud == wanted),
        }
    }
}

impl Seconds {
    /// `None` when it is no date.
    pub(crate) fn get(self) -> Option<u64> {
        match self {
            Self::Whole(seconds) => Some(seconds),
            // The cast saturates; a date that far away is refused where it becomes a time.
            Self::Fraction(seconds) => (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64),
        }
    }
}
