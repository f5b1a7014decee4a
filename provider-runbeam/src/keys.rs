//! The keys of a published set: which of them can be used, and how old they are.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use provider_api::{Error, Result};
use tokio::time::Instant;
use url::Url;

use crate::address::Address;
use crate::key::Key;
use crate::wire::{Jwk, Jwks};

/// The maximum number of keys of a set.
const MAX_KEYS: usize = 64;

/// The maximum number of keys with the same id. A forged token costs one verification for each.
const MAX_SAME_ID: usize = 4;

/// The maximum length of a key id in bytes.
pub(crate) const MAX_KID_BYTES: usize = 256;

/// Keys by id. An id has more than one key while a key is being replaced by another with the same id.
pub(crate) type KeysById = HashMap<String, Vec<Key>>;

/// The usable keys of a set by id, and the time when they were fetched.
pub(crate) struct Keys {
    pub(crate) by_id: KeysById,
    pub(crate) fetched_at: Instant,
    /// The same moment on the wall clock, which also counts the time in which the machine is suspended.
    pub(crate) fetched_on: SystemTime,
}

impl Keys {
    /// Returns the keys with the id `kid`.
    pub(crate) fn get(&self, kid: &str) -> &[Key] {
        self.by_id.get(kid).map_or(&[], Vec::as_slice)
    }

    /// Reports whether the keys are younger than `lifetime`. The lease does not know: a reload may have shortened the
    /// lifetime since the fetch, and its clock stands still while the machine is suspended.
    pub(crate) fn is_within(&self, lifetime: Duration, now: SystemTime) -> bool {
        let by_the_wall = now.duration_since(self.fetched_on).unwrap_or_default();
        self.fetched_at.elapsed().max(by_the_wall) < lifetime
    }
}

/// Returns the usable keys of a fetched set, and logs the entries that are no keys.
///
/// # Errors
/// Unavailable if nothing but such entries is there. An empty set is an answer: no key is valid.
pub(crate) fn checked_keys(action: &str, url: &Url, set: &Jwks) -> Result<KeysById> {
    let (keys, malformed) = usable_keys(set);
    let (address, entries) = (Address(url), set.keys.len());
    if keys.is_empty() && malformed > 0 {
        return Err(Error::unavailable(format!(
            "{action}: the control plane at {address} sent a set of {entries} entries without a usable key"
        )));
    }
    if malformed > 0 {
        tracing::warn!(
            "{action}: {malformed} of {entries} entries of the control plane at {address} are no usable keys"
        );
    }
    Ok(keys)
}

/// Returns the usable keys by id, and the number of malformed entries. A key that cannot be used is skipped, so that it does
/// not disable the others. One for another purpose, or of another type, is not malformed.
pub(crate) fn usable_keys(set: &Jwks) -> (KeysById, usize) {
    let (mut by_id, mut count, mut malformed) = (KeysById::new(), 0, 0);
    for value in &set.keys {
        let jwk = serde_json::from_value::<Jwk>(value.clone()).ok();
        let kid = jwk.as_ref().and_then(|jwk| jwk.kid.clone());
        let kid = kid.filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID_BYTES);
        let (Some(jwk), Some(kid)) = (jwk, kid) else {
            malformed += 1;
            continue;
        };
        match Key::from_jwk(&jwk) {
            Some(key) if count < MAX_KEYS => {
                let same_id = by_id.entry(kid).or_default();
                if same_id.len() < MAX_SAME_ID {
                    same_id.push(key);
                    count += 1;
                }
            }
            Some(_) => {}
            None => malformed += usize::from(Key::is_supported(&jwk)),
        }
    }
    (by_id, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_keys_are_skipped() {
        let n = format!("{}w", "x".repeat(341));
        let good =
            serde_json::json!({"kty": "RSA", "use": "sig", "kid": "a", "alg": "RS256", "n": n, "e": "AQAB"});
        let mut all = vec![good.clone()];
        for (field, value) in
            [("use", "enc"), ("alg", "HS256"), ("alg", "none"), ("kty", "oct"), ("n", "AQAB"), ("kid", "")]
        {
            let mut bad = good.clone();
            bad["kid"] = format!("bad-{}", all.len()).into();
            bad[field] = value.into();
            all.push(bad);
        }
        all.push(serde_json::json!("no object"));
        let (keys, malformed) = usable_keys(&Jwks { keys: all });
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["a"]);
        // The one with a short modulus, the one without an id, and the text.
        assert_eq!(malformed, 3);
    }
}
