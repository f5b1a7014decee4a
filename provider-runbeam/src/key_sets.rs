//! Published key sets: fetch, cache, limits, saved state.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use provider_api::{Error, ErrorKind, Fetch, Lease, Result, Valid};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use crate::api::{Api, decode};
use crate::call::{Bearer, Call};
use crate::interner::Interner;
use crate::key::Key;
use crate::purpose::Purpose;
use crate::settings::is_loopback;
use crate::wire::{Jwk, Jwks};

/// The minimum time between two fetches because of an unknown key id. A sender needs no
/// credential for a token with an unknown id, so without this limit each one would cost the control plane a request.
const COOLDOWN: Duration = Duration::from_secs(60);

/// The minimum time between two attempts after a failed fetch.
const RETRY: Duration = Duration::from_secs(5);

/// The maximum number of keys of a set.
const MAX_KEYS: usize = 64;

/// The maximum size of a key set in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The maximum length of a key id in bytes.
pub(crate) const MAX_KID_BYTES: usize = 256;

/// The usable keys of a set by id, and the time when they were fetched.
pub(crate) struct Keys {
    by_id: HashMap<String, Key>,
    fetched_at: Instant,
}

/// The key sets of all meshes: the one of the control plane, and those of a `jwks_url` in the configuration. They
/// survive a configuration reload.
#[derive(Debug)]
pub(crate) struct KeySets {
    api: Arc<Api>,
    /// Key sets by `jwks_url`; `None` is the key set of the control plane.
    sets: Interner<Option<String>, KeySet>,
}

/// A published key set. It is fetched when it is first needed and again before its lifetime ends. Keys past their
/// lifetime verify nothing.
pub(crate) struct KeySet {
    api: Arc<Api>,
    /// The URLs to try, in this order; or the reason why the configured URL is refused.
    urls: Result<Vec<Url>, String>,
    lease: Arc<Lease<Keys>>,
    /// The last fetched set as it was published, for [`KeySets::published`].
    published: Arc<Mutex<Option<PublishedKeys>>>,
}

/// A key set as it was published, with the time of the fetch. The saved state of the provider holds these.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PublishedKeys {
    /// The time of the fetch, in seconds since 1970.
    pub(crate) at: u64,
    keys: Vec<serde_json::Value>,
}

impl KeySets {
    pub(crate) fn new(api: Arc<Api>) -> Self {
        Self { api, sets: Interner::default() }
    }

    /// Returns the key set at `url`, or the one of the control plane.
    pub(crate) fn get(&self, url: Option<&str>) -> Arc<KeySet> {
        self.sets.get(url.map(str::to_owned), || KeySet::new(Arc::clone(&self.api), url))
    }

    /// Returns the fetched sets as they were published, sorted by URL.
    pub(crate) fn published(&self) -> Vec<(Option<String>, PublishedKeys)> {
        let mut all: Vec<_> = self
            .sets
            .entries()
            .into_iter()
            .filter_map(|(url, set)| Some((url, set.lock().clone()?)))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

impl Keys {
    pub(crate) fn get(&self, kid: &str) -> Option<&Key> {
        self.by_id.get(kid)
    }

    /// Reports whether the keys are younger than `lifetime`. The lease does not know: a reload may have shortened the
    /// lifetime since the fetch.
    fn is_within(&self, lifetime: Duration) -> bool {
        self.fetched_at.elapsed() < lifetime
    }
}

impl KeySet {
    fn new(api: Arc<Api>, url: Option<&str>) -> Self {
        let urls = match url {
            Some(url) => check_jwks_url(api.configured(), url),
            None => Ok(["/api/.well-known/jwks.json", "/.well-known/jwks.json"]
                .into_iter()
                .filter_map(|path| api.configured().join(path).ok())
                .collect()),
        };
        Self { api, urls, lease: Lease::new(), published: Arc::default() }
    }

    /// Returns the keys, at most `lifetime` old.
    ///
    /// # Errors
    /// Unavailable when there are no such keys and none can be fetched.
    pub(crate) async fn keys(&self, lifetime: Duration) -> Result<Valid<Keys>> {
        let result = match self.lease.held() {
            Some(keys) if keys.is_within(lifetime) => self.lease.get(|| self.fetch(lifetime)).await,
            _ => self.lease.newer(RETRY, || self.fetch(lifetime)).await,
        };
        self.within_lifetime(result, lifetime)
    }

    /// Returns newer keys after a token named an unknown key id: the keys may have been rotated.
    pub(crate) async fn newer(&self, lifetime: Duration) -> Result<Valid<Keys>> {
        self.within_lifetime(self.lease.newer(COOLDOWN, || self.fetch(lifetime)).await, lifetime)
    }

    /// Restores keys that an earlier process fetched `age` ago. They expire when they are `lifetime` old. Keys that this
    /// process has fetched are not replaced.
    pub(crate) fn restore(&self, saved: PublishedKeys, age: Duration, lifetime: Duration) {
        let left = lifetime.checked_sub(age).filter(|left| !left.is_zero());
        let (Some(left), Some(fetched_at)) = (left, Instant::now().checked_sub(age)) else { return };
        let mut published = self.lock();
        if published.is_none() && self.lease.held().is_none() {
            let by_id = usable_keys(&Jwks { keys: saved.keys.clone() });
            self.lease.hold(Keys { by_id, fetched_at }, left);
            *published = Some(saved);
        }
    }

    /// Checks the age of the keys: after a failed fetch the lease returns the earlier keys, which may be too old.
    fn within_lifetime(
        &self,
        result: Result<Valid<Keys>, Arc<Error>>,
        lifetime: Duration,
    ) -> Result<Valid<Keys>> {
        let keys = result.map_err(|error| owned_error(&error))?;
        match keys.is_within(lifetime) {
            true => Ok(keys),
            false => Err(Error::unavailable(format!(
                "the published keys of the control plane at {} are older than proxy.jwks_cache_duration_hours permits, \
                 and newer ones cannot be fetched",
                self.api.address()
            ))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<PublishedKeys>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(&self, lifetime: Duration) -> Fetch<Keys> {
        let (api, urls, published) = (Arc::clone(&self.api), self.urls.clone(), Arc::clone(&self.published));
        Box::pin(async move {
            let urls = urls.map_err(Error::unavailable)?;
            let action = "fetching the published keys";
            let mut failure = None;
            for url in urls {
                let call =
                    Call { action, purpose: Purpose::Public, bearer: Bearer::Anonymous, document: false };
                match api.get_bytes(&call, url.clone(), MAX_BYTES).await {
                    Ok(body) => {
                        let set = decode::<Jwks>(action, &url, &body)?;
                        let keys = Keys { by_id: usable_keys(&set), fetched_at: Instant::now() };
                        let at = api.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                        let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
                        *published = Some(PublishedKeys { at, keys: set.keys });
                        return Ok((keys, lifetime));
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => failure = Some(not_found(&error)),
                    Err(error) => return Err(error),
                }
            }
            Err(failure.unwrap_or_else(|| {
                Error::unavailable(format!("{action} at {}: there is no URL of a key set", api.address()))
            }))
        })
    }
}

/// A key set that is not there may be there later, so its absence says nothing about a token.
fn not_found(error: &Error) -> Error {
    Error::unavailable(error.to_string())
}

/// Checks a `jwks_url` of the configuration. It may have any origin, since the set is public and is fetched without a
/// credential. It must be encrypted, since an attacker who changes the set in transit can forge tokens.
fn check_jwks_url(configured: &Url, url: &str) -> Result<Vec<Url>, String> {
    let refuse = |reason: &str| Err(format!("the jwks_url of the mesh {reason}; expected an https URL"));
    match Url::parse(url) {
        Ok(url) if url.origin() == configured.origin() => Ok(vec![url]),
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => Ok(vec![url]),
        Ok(_) => refuse("is not encrypted"),
        Err(_) => refuse("is not a URL"),
    }
}

/// Returns the usable keys by id. A key that cannot be used is skipped, so that it does not disable the others.
pub(crate) fn usable_keys(set: &Jwks) -> HashMap<String, Key> {
    let decoded = set.keys.iter().filter_map(|value| serde_json::from_value::<Jwk>(value.clone()).ok());
    let keys = decoded.filter_map(|jwk| {
        let kid = jwk.kid.clone().filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID_BYTES)?;
        Some((kid, Key::from_jwk(&jwk)?))
    });
    keys.take(MAX_KEYS).collect()
}

/// Returns an own copy of an error that several callers of the lease share.
fn owned_error(error: &Arc<Error>) -> Error {
    let copy = Error::new(error.kind(), error.to_string());
    match error.retry_after() {
        Some(wait) => copy.with_retry_after(wait),
        None => copy,
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("urls", &self.urls).field("lease", &self.lease).finish_non_exhaustive()
    }
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
        let keys = usable_keys(&Jwks { keys: all });
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn jwks_url_must_be_encrypted() {
        let ours = Url::parse("http://10.0.0.1:8080/api").unwrap();
        assert!(check_jwks_url(&ours, "https://keys.example/jwks.json").is_ok());
        assert!(check_jwks_url(&ours, "http://10.0.0.1:8080/keys").is_ok());
        assert!(check_jwks_url(&ours, "http://keys.example/jwks.json").is_err());
        assert!(check_jwks_url(&ours, "keys").is_err());
    }
}
