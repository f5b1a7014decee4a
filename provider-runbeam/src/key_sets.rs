//! Published key sets: fetch, cache, limits, saved state.
//!
//! The age of a set is counted from its fetch, on the monotonic clock and on the wall clock, whichever says more. The
//! maximum is `proxy.jwks_cache_duration_hours`: 24 hours by default, 1 to 168.
//!
//! * Between 50 % and 75 % of the maximum (12 to 18 hours by default), the next use fetches the set again in the background.
//!   A failed attempt is repeated after 5 % to 15 % of the time that is left. Meanwhile the known keys are used, so a control
//!   plane that is away closes nothing at once.
//! * Past the maximum the keys verify nothing. Requests with a mesh token are answered 503 until a fetch succeeds, with at
//!   least 5 seconds between two attempts.
//! * A token with an unknown key id, or whose signature does not match the key with its id, fetches the set at once: keys
//!   are added, and replaced under their id. That costs at most one fetch per minute, however many such tokens come. The
//!   tokens of a replaced key are refused from then on.

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
use crate::keys::{Keys, checked_keys, usable_keys};
use crate::purpose::Purpose;
use crate::settings::is_loopback;
use crate::wire::Jwks;

/// The minimum time between two fetches because of an unknown key id or a signature of another key. A sender needs no
/// credential for such a token, so without this limit each one would cost the control plane a request.
const COOLDOWN: Duration = Duration::from_secs(60);

/// The minimum time between two attempts after a failed fetch.
const RETRY: Duration = Duration::from_secs(5);

/// The maximum size of a key set in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The key sets of all meshes: the one of the control plane, and those of a `jwks_url` in the configuration. They
/// survive a configuration reload.
#[derive(Debug)]
pub(crate) struct KeySets {
    api: Arc<Api>,
    /// The key set of the control plane.
    own: Arc<KeySet>,
    /// The others, by `jwks_url`.
    others: Interner<String, KeySet>,
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
        let own = Arc::new(KeySet::new(Arc::clone(&api), None));
        Self { api, own, others: Interner::default() }
    }

    /// Returns the key set at `url`, or the one of the control plane.
    pub(crate) fn get(&self, url: Option<&str>) -> Arc<KeySet> {
        let Some(url) = url else { return Arc::clone(&self.own) };
        let new = || KeySet::new(Arc::clone(&self.api), Some(url));
        // Every verification of a token comes here.
        self.others.find(url).unwrap_or_else(|| self.others.get(url.to_owned(), new))
    }

    /// Returns the fetched sets as they were published, sorted by URL.
    pub(crate) fn published(&self) -> Vec<(Option<String>, PublishedKeys)> {
        let others = self.others.entries().into_iter().map(|(url, set)| (Some(url), set));
        let mut all: Vec<_> = std::iter::once((None, Arc::clone(&self.own)))
            .chain(others)
            .filter_map(|(url, set)| Some((url, set.lock().clone()?)))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
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
            Some(keys) if keys.is_within(lifetime, self.api.now()) => {
                self.lease.get(|| self.fetch(lifetime)).await
            }
            _ => self.lease.newer(RETRY, || self.fetch(lifetime)).await,
        };
        self.within_lifetime(result, lifetime)
    }

    /// Returns newer keys, or those of a fetch in the last minute, after a token that the known keys do not verify.
    pub(crate) async fn newer(&self, lifetime: Duration) -> Result<Valid<Keys>> {
        self.within_lifetime(self.lease.newer(COOLDOWN, || self.fetch(lifetime)).await, lifetime)
    }

    /// Restores keys that an earlier process fetched `age` ago. They expire when they are `lifetime` old. Keys that this
    /// process has fetched are not replaced.
    pub(crate) fn restore(&self, saved: PublishedKeys, age: Duration, lifetime: Duration) {
        let left = lifetime.checked_sub(age).filter(|left| !left.is_zero());
        let fetched_on = self.api.now().checked_sub(age);
        let (Some(left), Some(fetched_on)) = (left, fetched_on) else { return };
        let Some(fetched_at) = Instant::now().checked_sub(age) else { return };
        let mut published = self.lock();
        if published.is_none() && self.lease.held().is_none() {
            let by_id = usable_keys(&Jwks { keys: saved.keys.clone() }).0;
            self.lease.hold(Keys { by_id, fetched_at, fetched_on }, left);
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
        match keys.is_within(lifetime, self.api.now()) {
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
                        let by_id = checked_keys(action, &url, &set)?;
                        let fetched_on = api.now();
                        let keys = Keys { by_id, fetched_at: Instant::now(), fetched_on };
                        let at = fetched_on.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
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
    fn jwks_url_must_be_encrypted() {
        let ours = Url::parse("http://10.0.0.1:8080/api").unwrap();
        assert!(check_jwks_url(&ours, "https://keys.example/jwks.json").is_ok());
        assert!(check_jwks_url(&ours, "http://10.0.0.1:8080/keys").is_ok());
        assert!(check_jwks_url(&ours, "http://keys.example/jwks.json").is_err());
        assert!(check_jwks_url(&ours, "keys").is_err());
    }
}
