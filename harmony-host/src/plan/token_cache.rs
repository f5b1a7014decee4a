//! The cache of verified mesh tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

/// The verified tokens of one mesh. The next request with the same token needs no signature check.
///
/// Only verified tokens are inserted, and a token is found only when all its bytes are equal. An entry means that the
/// token is valid for a URL and, by the contract of providers, for every URL below it. Invalid tokens are not cached:
/// an attacker could fill the cache with them. Reading takes no lock and allocates nothing.
pub struct VerifiedTokens {
    known: ArcSwap<HashMap<Tail, Arc<Verified>>>,
    writing: Mutex<()>,
}

/// The end of a token. It belongs to the signature, so it is as good as random, and it hashes faster than the whole.
type Tail = [u8; 32];

#[derive(Clone)]
struct Verified {
    token: Box<str>,
    urls: Vec<Box<str>>,
    sender: Arc<str>,
    until: Instant,
}

/// The most URLs that are cached for one token.
const MAX_URLS: usize = 8;

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

    /// Returns the sender of a token that is cached as valid for `url`, an ingress URL as the configuration has it.
    pub fn sender(&self, token: &str, url: &str) -> Option<Arc<str>> {
        let known = self.known.load();
        let verified = known.get(&tail(token)?)?;
        let same = *verified.token == *token && verified.urls.iter().any(|known| **known == *url);
        (same && Instant::now() < verified.until).then(|| Arc::clone(&verified.sender))
    }

    /// Caches a token of `sender` as valid for `url`, for `left` but at most 5 minutes.
    pub fn remember(&self, token: &str, url: &str, sender: &Arc<str>, left: Duration) {
        let Some(tail) = tail(token) else { return };
        if left.is_zero() {
            return;
        }
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = HashMap::clone(&self.known.load());
        let until = Instant::now() + left.min(LONGEST);
        let mut verified = match known.get(&tail) {
            Some(before) if *before.token == *token => Verified { until, ..Verified::clone(before) },
            _ => Verified { token: token.into(), urls: Vec::new(), sender: Arc::clone(sender), until },
        };
        if verified.urls.len() >= MAX_URLS {
            verified.urls.clear();
        }
        verified.urls.push(url.into());
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

    const TOKEN: &str = "head.claims.0123456789012345678901234567890123456789";

    #[tokio::test(start_paused = true)]
    async fn token_is_bound_to_url_and_expiry() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        tokens.remember(TOKEN, "http://a.example/r4", &sender, Duration::from_secs(60));
        tokens.remember(TOKEN, "http://a.example/r3", &sender, Duration::from_secs(60));
        assert_eq!(tokens.sender(TOKEN, "http://a.example/r3").as_deref(), Some("sender"));
        assert_eq!(tokens.sender(TOKEN, "http://a.example/r4").as_deref(), Some("sender"));
        assert!(tokens.sender(TOKEN, "http://a.example/r5").is_none());
        assert!(tokens.sender(TOKEN, "http://b.example/r4").is_none());
        assert!(tokens.sender(TOKEN, "https://a.example/r4").is_none());
        assert!(tokens.sender(&TOKEN.replace("claims", "clAims"), "http://a.example/r4").is_none());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(tokens.sender(TOKEN, "http://a.example/r4").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn cache_is_bounded_in_size_and_time() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        let token = |n: usize| format!("head.claims.{n:040}");
        for n in 0..MAX + 10 {
            tokens.remember(&token(n), "http://a.example", &sender, Duration::MAX);
        }
        assert!(tokens.known.load().len() <= MAX);
        let last = token(MAX + 9);
        assert!(tokens.sender(&last, "http://a.example").is_some());
        tokio::time::advance(LONGEST).await;
        assert!(tokens.sender(&last, "http://a.example").is_none());
        tokens.remember("short", "http://a.example", &sender, Duration::MAX);
        assert!(tokens.sender("short", "http://a.example").is_none());
    }
}
