//! The cache of verified mesh tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

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

struct Verified {
    token: Box<str>,
    urls: Vec<Box<str>>,
    sender: Arc<str>,
    until: Instant,
    /// The same moment on the wall clock. The other clock stands still while the machine is suspended, and does not know
    /// when the wall clock is set.
    expires_at: SystemTime,
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

    /// Returns the sender of a token that is cached as valid for `url`, an ingress URL as the configuration has it. `now` is
    /// the time of the wall clock.
    pub fn sender(&self, token: &str, url: &str, now: SystemTime) -> Option<Arc<str>> {
        let known = self.known.load();
        let verified = known.get(&tail(token)?)?;
        let same = *verified.token == *token && verified.urls.iter().any(|known| **known == *url);
        (same && verified.is_valid(now)).then(|| Arc::clone(&verified.sender))
    }

    /// Caches a token of `sender` as valid for `url`, until `expires_at` but at most for 5 minutes. `now` is the time of the
    /// wall clock.
    pub fn remember(
        &self,
        token: &str,
        url: &str,
        sender: &Arc<str>,
        expires_at: SystemTime,
        now: SystemTime,
    ) {
        let Some(tail) = tail(token) else { return };
        let left = expires_at.duration_since(now).unwrap_or_default().min(LONGEST);
        if left.is_zero() {
            return;
        }
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = HashMap::clone(&self.known.load());
        let (until, expires_at) = (Instant::now() + left, now + left);
        let urls = match known.get(&tail) {
            Some(before) if *before.token == *token => before.urls.clone(),
            _ => Vec::new(),
        };
        let mut verified =
            Verified { token: token.into(), urls, sender: Arc::clone(sender), until, expires_at };
        if verified.urls.len() >= MAX_URLS {
            verified.urls.clear();
        }
        verified.urls.push(url.into());
        if known.len() >= MAX {
            known.retain(|_, verified| verified.is_valid(now));
        }
        if known.len() >= MAX {
            known.clear();
        }
        known.insert(tail, Arc::new(verified));
        self.known.store(Arc::new(known));
    }
}

impl Verified {
    fn is_valid(&self, now: SystemTime) -> bool {
        now < self.expires_at && Instant::now() < self.until
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
    const NOW: SystemTime = SystemTime::UNIX_EPOCH;
    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn token_is_bound_to_url_and_expiry() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        tokens.remember(TOKEN, "http://a.example/r4", &sender, NOW + MINUTE, NOW);
        tokens.remember(TOKEN, "http://a.example/r3", &sender, NOW + MINUTE, NOW);
        assert_eq!(tokens.sender(TOKEN, "http://a.example/r3", NOW).as_deref(), Some("sender"));
        assert_eq!(tokens.sender(TOKEN, "http://a.example/r4", NOW).as_deref(), Some("sender"));
        assert!(tokens.sender(TOKEN, "http://a.example/r5", NOW).is_none());
        assert!(tokens.sender(TOKEN, "http://b.example/r4", NOW).is_none());
        assert!(tokens.sender(TOKEN, "https://a.example/r4", NOW).is_none());
        assert!(tokens.sender(&TOKEN.replace("claims", "clAims"), "http://a.example/r4", NOW).is_none());
        tokio::time::advance(MINUTE).await;
        assert!(tokens.sender(TOKEN, "http://a.example/r4", NOW).is_none());
    }

    /// The machine was suspended, or its clock was set: only the wall clock shows it.
    #[tokio::test(start_paused = true)]
    async fn token_ends_by_either_clock() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        for left in [MINUTE, LONGEST, 100 * LONGEST] {
            tokens.remember(TOKEN, "http://a.example", &sender, NOW + left, NOW);
            let longest = left.min(LONGEST);
            let last = NOW + longest - Duration::from_millis(1);
            assert!(tokens.sender(TOKEN, "http://a.example", last).is_some(), "{left:?}");
            assert!(tokens.sender(TOKEN, "http://a.example", NOW + longest).is_none(), "{left:?}");
            tokio::time::advance(longest).await;
            assert!(tokens.sender(TOKEN, "http://a.example", NOW).is_none(), "{left:?}");
        }
        tokens.remember(TOKEN, "http://b.example", &sender, NOW, NOW + MINUTE);
        assert!(tokens.sender(TOKEN, "http://b.example", NOW).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn cache_is_bounded_in_size_and_time() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        let token = |n: usize| format!("head.claims.{n:040}");
        let end = NOW + 100 * LONGEST;
        for n in 0..MAX + 10 {
            tokens.remember(&token(n), "http://a.example", &sender, end, NOW);
        }
        assert!(tokens.known.load().len() <= MAX);
        let last = token(MAX + 9);
        assert!(tokens.sender(&last, "http://a.example", NOW).is_some());
        tokio::time::advance(LONGEST).await;
        assert!(tokens.sender(&last, "http://a.example", NOW).is_none());
        tokens.remember("short", "http://a.example", &sender, end, NOW);
        assert!(tokens.sender("short", "http://a.example", NOW).is_none());
    }
}
