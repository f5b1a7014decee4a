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
use crate::settings::is_loopback;
use crate::status::Asking;
use crate::wire::{Jwk, Jwks};

/// However many unknown key ids come, the keys are asked for at most this often.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(60);

/// How soon keys are asked for again that could not be had.
const RETRY: Duration = Duration::from_secs(5);

/// The most keys of a set, the most bytes it may have, and the longest id.
const MAX_KEYS: usize = 64;
const MAX_BYTES: usize = 256 * 1024;
pub(crate) const MAX_KID_BYTES: usize = 256;

/// The published keys, by id, and since when they are known.
pub(crate) struct Keys {
    by_id: HashMap<String, Key>,
    since: Instant,
}

/// The key sets that meshes are verified with: the control plane's own, and those that the configuration
/// names. They outlive a configuration.
#[derive(Debug)]
pub(crate) struct KeySets {
    api: Arc<Api>,
    sets: Interner<Option<String>, KeySet>,
}

/// One published key set. Fetched when it is first needed, and again ahead of the end of its time; after
/// that nothing is verified with it any more.
pub(crate) struct KeySet {
    api: Arc<Api>,
    /// Where it may be, in the order in which it is looked for; or why nowhere.
    places: Result<Vec<Url>, String>,
    lease: Arc<Lease<Keys>>,
    /// What was fetched last, as it was published.
    last: Arc<Mutex<Option<LastKeys>>>,
}

/// A key set as it was published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LastKeys {
    /// When it was fetched, in seconds since 1970.
    pub(crate) at: u64,
    keys: Vec<serde_json::Value>,
}

impl KeySets {
    pub(crate) fn new(api: Arc<Api>) -> Self {
        Self { api, sets: Interner::default() }
    }

    /// The set at `url`, or the control plane's own.
    pub(crate) fn of(&self, url: Option<&str>) -> Arc<KeySet> {
        self.sets.get(url.map(str::to_owned), || KeySet::new(Arc::clone(&self.api), url))
    }

    /// The sets that were fetched, as they were published last, in the order of where they are.
    pub(crate) fn last(&self) -> Vec<(Option<String>, LastKeys)> {
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

    /// A configuration may permit less time than the one they were fetched under.
    fn is_permitted(&self, lifetime: Duration) -> bool {
        self.since.elapsed() < lifetime
    }
}

impl KeySet {
    fn new(api: Arc<Api>, url: Option<&str>) -> Self {
        let places = match url {
            Some(url) => named(api.configured(), url),
            None => Ok(["/api/.well-known/jwks.json", "/.well-known/jwks.json"]
                .into_iter()
                .filter_map(|path| api.configured().join(path).ok())
                .collect()),
        };
        Self { api, places, lease: Lease::new(), last: Arc::default() }
    }

    /// The keys as they are known, at most `lifetime` old.
    ///
    /// # Errors
    /// Unavailable when there are none: nothing can be verified.
    pub(crate) async fn keys(&self, lifetime: Duration) -> Result<Valid<Keys>> {
        let got = match self.lease.held() {
            Some(keys) if keys.is_permitted(lifetime) => self.lease.get(|| self.fetch(lifetime)).await,
            _ => self.lease.newer(RETRY, || self.fetch(lifetime)).await,
        };
        permitted(got, lifetime)
    }

    /// The keys after somebody used an id that is not among them: they may have been rotated.
    pub(crate) async fn newer(&self, lifetime: Duration) -> Result<Valid<Keys>> {
        permitted(self.lease.newer(COOLDOWN, || self.fetch(lifetime)).await, lifetime)
    }

    /// Takes up keys that a former process fetched `age` ago, until they are `lifetime` old; keys of this process stay.
    pub(crate) fn recall(&self, former: LastKeys, age: Duration, lifetime: Duration) {
        let left = lifetime.checked_sub(age).filter(|left| !left.is_zero());
        let (Some(left), Some(since)) = (left, Instant::now().checked_sub(age)) else { return };
        let mut last = self.lock();
        if last.is_none() && self.lease.held().is_none() {
            let by_id = usable(&Jwks { keys: former.keys.clone() });
            self.lease.hold(Keys { by_id, since }, left);
            *last = Some(former);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<LastKeys>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(&self, lifetime: Duration) -> Fetch<Keys> {
        let (api, places, last) = (Arc::clone(&self.api), self.places.clone(), Arc::clone(&self.last));
        Box::pin(async move {
            let places = places.map_err(Error::unavailable)?;
            let what = "fetching the keys of the control plane";
            let mut failure = Error::unavailable(format!("{what}: there is no place to ask"));
            for url in places {
                let call = Call { what, asking: Asking::Public, bearer: Bearer::Nobody };
                match api.get_bytes(&call, url, MAX_BYTES).await {
                    Ok(body) => {
                        let set = decode::<Jwks>(what, &body)?;
                        let keys = Keys { by_id: usable(&set), since: Instant::now() };
                        let at = api.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                        *last = Some(LastKeys { at, keys: set.keys });
                        return Ok((keys, lifetime));
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => failure = not_there(what),
                    Err(error) => return Err(error),
                }
            }
            Err(failure)
        })
    }
}

/// A failed fetch leaves what was known, which may be older than it may be by now.
fn permitted(got: Result<Valid<Keys>, Arc<Error>>, lifetime: Duration) -> Result<Valid<Keys>> {
    let keys = got.map_err(|error| passed_on(&error))?;
    match keys.is_permitted(lifetime) {
        true => Ok(keys),
        false => Err(Error::unavailable(
            "the keys of the control plane are older than the configuration permits, and newer ones cannot be had",
        )),
    }
}

fn not_there(what: &str) -> Error {
    Error::unavailable(format!("{what}: there are none at .well-known/jwks.json"))
}

/// A key set that the configuration names may be elsewhere: it is public, so no credential goes along, but
/// whoever can change it on its way can forge tokens.
fn named(configured: &Url, url: &str) -> Result<Vec<Url>, String> {
    let refuse = |why: &str| Err(format!("the jwks_url of the mesh {why}; expected an https URL"));
    match Url::parse(url) {
        Ok(url) if url.origin() == configured.origin() => Ok(vec![url]),
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => Ok(vec![url]),
        Ok(_) => refuse("is not encrypted"),
        Err(_) => refuse("is no URL"),
    }
}

/// The usable keys. One that is not understood hides none of the others.
pub(crate) fn usable(set: &Jwks) -> HashMap<String, Key> {
    let known = set.keys.iter().filter_map(|value| serde_json::from_value::<Jwk>(value.clone()).ok());
    let keys = known.filter_map(|jwk| {
        let kid = jwk.kid.clone().filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID_BYTES)?;
        Some((kid, Key::of(&jwk)?))
    });
    keys.take(MAX_KEYS).collect()
}

/// An error that several wait for, once more for each of them.
fn passed_on(error: &Arc<Error>) -> Error {
    let again = Error::new(error.kind(), error.to_string());
    match error.retry_after() {
        Some(wait) => again.with_retry_after(wait),
        None => again,
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("places", &self.places)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_be_used_hides_no_other() {
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
        let keys = usable(&Jwks { keys: all });
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn a_key_set_elsewhere_is_taken_from_where_nobody_can_change_it_on_its_way() {
        let ours = Url::parse("http://10.0.0.1:8080/api").unwrap();
        assert!(named(&ours, "https://keys.example/jwks.json").is_ok());
        assert!(named(&ours, "http://10.0.0.1:8080/keys").is_ok());
        assert!(named(&ours, "http://keys.example/jwks.json").is_err());
        assert!(named(&ours, "keys").is_err());
    }
}
