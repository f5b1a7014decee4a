//! The claims of a mesh token, as serde decodes them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The claims of a token with a valid signature, unchecked. Decoding accepts any type, so that the later error can
/// name the claim. It fails for a duplicate claim, so no two readers of a token can see different claims.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TokenClaims {
    pub(crate) iss: Claim,
    pub(crate) sub: Claim,
    pub(crate) aud: Claim,
    pub(crate) exp: Claim,
    pub(crate) nbf: Claim,
    pub(crate) iat: Claim,
    pub(crate) mesh_id: Claim,
}

/// The value of a claim, in the types that the checked claims can have.
#[derive(Default)]
pub(crate) enum Claim {
    /// Absent, or `null`, which serializers write for an optional value.
    #[default]
    Absent,
    Text(String),
    Texts(Vec<String>),
    /// A NumericDate (RFC 7519, section 2) that is not negative. A fraction of a second is cut off.
    Seconds(u64),
    /// A value of another type or out of range.
    Other,
}

/// Converts a NumericDate. Returns `None` when `SystemTime` cannot represent it.
pub(crate) fn system_time(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClaimVisitor)
    }
}

struct ClaimVisitor;

impl<'de> Visitor<'de> for ClaimVisitor {
    type Value = Claim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claim")
    }

    fn visit_unit<E>(self) -> Result<Claim, E> {
        Ok(Claim::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Claim, E> {
        Ok(Claim::Other)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Claim, E> {
        Ok(Claim::Seconds(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Claim, E> {
        Ok(u64::try_from(value).map_or(Claim::Other, Claim::Seconds))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Claim, E> {
        // The cast saturates. A date that large is refused later, where it is converted to a time.
        let is_date = value.is_finite() && value >= 0.0;
        Ok(if is_date { Claim::Seconds(value as u64) } else { Claim::Other })
    }

    fn visit_str<E>(self, value: &str) -> Result<Claim, E> {
        Ok(Claim::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Claim, A::Error> {
        let mut texts = Some(Vec::new());
        // Reads every item: serde_json fails when a visitor stops in the middle of a list.
        while let Some(item) = items.next_element::<Claim>()? {
            match (item, &mut texts) {
                (Claim::Text(text), Some(texts)) => texts.push(text),
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Claim::Other, Claim::Texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Claim, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Claim::Other)
    }
}
