//! The cache of verified mesh tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::http::url_prefix::Scheme;

/// The verified tokens of one mesh. The next request with the same token needs no signature check.
///
/// Only verified tokens are inserted, and a token is found only when all its bytes are equal. An entry means that the
/// token is valid for a URL and, by the contract of providers, for every URL below it. Invalid tokens are not cached:
/// an attacker could fill the cache with them. Reading takes no lock and allocates nothing.
pub struct VerifiedTokens {
    known: ArcSwap<HashMap<Tail, Arc<Verified>>>,
    writing: Mutex<()>,
}

/// The URL of a route, as the request spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// Host and port, as the request spells them.
    pub authority: &'a str,
    /// The part of the path that matched the route.
    pub prefix: &'a str,
}

/// The end of a token. It belongs to the signature, so it is as good as random, and it hashes faster than the whole.
type Tail = [u8; 32];

#[derive(Clone)]
struct Verified {
    token: Box<str>,
    bases: Vec<(Scheme, Box<str>, Box<str>)>,
    sender: Arc<str>,
    until: Instant,
}

/// The most URLs that are cached for one token.
const MAX_BASES: usize = 8;

/// The most tokens in the cache.
const MAX: usize = 4096;

/// The longest time without a new verification: its key may have been revoked meanwhile.
const LONGEST: Duration = Duration::from_secs(300);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self::new()
    }
}

impl VerifiedTokens {
    /// Creates an empty cache.
    pub fn new() -> Self {
        Self { known: ArcSwap::default(), writing: Mutex::new(()) }
    }

    /// Returns the sender of a token that is cached as valid for `base`.
    pub fn sender(&self, token: &str, base: &Base<'_>) -> Option<Arc<str>> {
        let known = self.known.load();
        let verified = known.get(&tail(token)?)?;
        let same = *verified.token == *token && verified.bases.iter().any(|known| base.is(known));
        (same && Instant::now() < verified.until).then(|| Arc::clone(&verified.sender))
    }

    /// Caches a token of `sender` as valid for `base`, for `left` but at most 5 minutes.
    pub fn remember(&self, token: &str, base: &Base<'_>, sender: &Arc<str>, left: Duration) {
        let Some(tail) = tail(token) else { return };
        if left.is_zero() {
            return;
        }
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = HashMap::clone(&self.known.load());
        let until = Instant::now() + left.min(LONGEST);
        let mut verified = match known.get(&tail) {
            Some(before) if *before.token == *token => Verified { until, ..Verified::clone(before) },
            _ => Verified { token: token.into(), bases: Vec::new(), sender: Arc::clone(sender), until },
        };
        if verified.bases.len() >= MAX_BASES {
            verified.bases.clear();
        }
        verified.bases.push((base.scheme, base.authority.into(), base.prefix.into()));
        if known.len() >= MAX {
            let now = Instant::now();
            known.retain(|_, verified| now < verified.until);
        }
        if known.len() >= MAX {
            known.clear();
        }
        known.insert(tail, Arc::new(verified));
        self.known.store(Arc::new(known));
    }
}

impl Base<'_> {
    fn is(&self, (scheme, authority, prefix): &(Scheme, Box<str>, Box<str>)) -> bool {
        *scheme == self.scheme && **prefix == *self.prefix && **authority == *self.authority
    }
}

impl fmt::Display for Base<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.as_str(), self.authority, self.prefix)
    }
}

fn tail(token: &str) -> Option<Tail> {
    token.as_bytes().last_chunk().copied()
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").field("known", &self.known.load().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(prefix: &str) -> Base<'_> {
        Base { scheme: Scheme::Http, authority: "a.example", prefix }
    }

    const TOKEN: &str = "head.claims.0123456789012345678901234567890123456789";

    #[tokio::test(start_paused = true)]
    async fn token_is_bound_to_url_and_expiry() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        tokens.remember(TOKEN, &base("/r4"), &sender, Duration::from_secs(60));
        tokens.remember(TOKEN, &base("/r3"), &sender, Duration::from_secs(60));
        assert_eq!(tokens.sender(TOKEN, &base("/r3")).as_deref(), Some("sender"));
        assert_eq!(tokens.sender(TOKEN, &base("/r4")).as_deref(), Some("sender"));
        assert!(tokens.sender(TOKEN, &base("/r5")).is_none());
        assert!(tokens.sender(TOKEN, &Base { authority: "b.example", ..base("/r4") }).is_none());
        assert!(tokens.sender(TOKEN, &Base { scheme: Scheme::Https, ..base("/r4") }).is_none());
        assert!(tokens.sender(&TOKEN.replace("claims", "clAims"), &base("/r4")).is_none());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(tokens.sender(TOKEN, &base("/r4")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn cache_is_bounded_in_size_and_time() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        let token = |n: usize| format!("head.claims.{n:040}");
        for n in 0..MAX + 10 {
            tokens.remember(&token(n), &base(""), &sender, Duration::MAX);
        }
        assert!(tokens.known.load().len() <= MAX);
        let last = token(MAX + 9);
        assert!(tokens.sender(&last, &base("")).is_some());
        tokio::time::advance(LONGEST).await;
        assert!(tokens.sender(&last, &base("")).is_none());
        tokens.remember("short", &base(""), &sender, Duration::MAX);
        assert!(tokens.sender("short", &base("")).is_none());
    }
}
