//! The cache of verified mesh tokens.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

use crate::cache::{BoundedCache, Cached};
use crate::metrics::CacheCounters;

/// The verified tokens of one mesh. The next request with the same token needs no signature check.
///
/// Only verified tokens are inserted, and a token is found only when all its bytes are equal. An entry means that the
/// token is valid for a URL and, by the contract of providers, for every URL below it. Invalid tokens are not cached:
/// an attacker could fill the cache with them. Reading takes no lock and allocates nothing. A full cache evicts a token that
/// has expired, or one that was not used for long.
pub struct VerifiedTokens {
    known: BoundedCache<Box<str>, Verified>,
    seed: [u64; 2],
    pub(crate) counters: CacheCounters,
}

#[derive(Debug)]
struct Verified {
    urls: Vec<Box<str>>,
    sender: Arc<str>,
    until: Moment,
}

/// A moment on both clocks. The steady one stands still while the machine is suspended; the wall clock may be set.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    wall: SystemTime,
    steady: Duration,
}

/// The sender of a verified token. Dereferences to its name.
#[derive(Clone)]
pub struct Sender(Name);

#[derive(Clone)]
enum Name {
    Cached(Cached<Box<str>, Verified>),
    Own(Arc<str>),
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
        let known = BoundedCache::new(MAX);
        Self { seed: [known.hash(&0), known.hash(&1)], known, counters: CacheCounters::default() }
    }

    /// Returns the sender of a token that is cached as valid for `url`, an ingress URL as the configuration has it.
    pub fn sender(&self, token: &str, url: &str, now: Moment) -> Option<Sender> {
        let known = self.find(token)?;
        let found = known.urls.iter().any(|known| **known == *url) && known.is_valid(now);
        found.then_some(Sender(Name::Cached(known)))
    }

    /// Caches a token of `sender` as valid for `url`, until `expires_at` but at most for 5 minutes.
    pub fn remember(&self, token: &str, url: &str, sender: &Arc<str>, expires_at: SystemTime, now: Moment) {
        let Some(hash) = self.hash(token) else { return };
        let left = expires_at.duration_since(now.wall).unwrap_or_default().min(LONGEST);
        if left.is_zero() {
            return;
        }
        let mut urls = self.find(token).map(|known| known.urls.clone()).unwrap_or_default();
        urls.retain(|known| **known != *url);
        if urls.len() >= MAX_URLS {
            // The one that was verified first.
            urls.remove(0);
        }
        urls.push(url.into());
        let verified = Verified { urls, sender: Arc::clone(sender), until: now.after(left) };
        let is_over = |verified: &Verified| !verified.is_valid(now);
        self.known.put(hash, token.into(), verified, true, is_over);
    }

    fn find(&self, token: &str) -> Option<Cached<Box<str>, Verified>> {
        self.known.find(self.hash(token)?, |known| **known == *token)
    }

    /// Returns a hash of the end of a token. That belongs to the signature, so it is as good as random; the seed is for a
    /// member that signs until two tokens end alike. A general hash of the whole would take longer than the lookup.
    fn hash(&self, token: &str) -> Option<u64> {
        let tail = u128::from_le_bytes(*token.as_bytes().last_chunk()?);
        let [low, high] = [tail as u64 ^ self.seed[0], (tail >> 64) as u64 ^ self.seed[1]];
        let product = u128::from(low) * u128::from(high);
        Some(product as u64 ^ (product >> 64) as u64)
    }
}

impl Verified {
    fn is_valid(&self, now: Moment) -> bool {
        now.wall < self.until.wall && now.steady < self.until.steady
    }
}

impl Moment {
    /// Returns the present, of which `wall` is the time of the wall clock.
    pub fn now(wall: SystemTime) -> Self {
        // A read of the coarse clock takes a fifth of the time of an exact one. It is behind by a few milliseconds.
        #[cfg(target_os = "linux")]
        const STEADY: ClockId = ClockId::MonotonicCoarse;
        #[cfg(not(target_os = "linux"))]
        const STEADY: ClockId = ClockId::Monotonic;
        let now = clock_gettime(STEADY);
        let since = |number| u64::try_from(number).unwrap_or_default();
        Self {
            wall,
            steady: Duration::from_secs(since(now.tv_sec)) + Duration::from_nanos(since(now.tv_nsec)),
        }
    }

    fn after(self, time: Duration) -> Self {
        Self { wall: self.wall + time, steady: self.steady + time }
    }
}

impl From<Arc<str>> for Sender {
    fn from(name: Arc<str>) -> Self {
        Self(Name::Own(name))
    }
}

impl Deref for Sender {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Name::Cached(verified) => &verified.sender,
            Name::Own(name) => name,
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        str::fmt(self, f)
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "head.claims.0123456789012345678901234567890123456789";
    const NOW: Moment = Moment { wall: SystemTime::UNIX_EPOCH, steady: Duration::ZERO };
    const MINUTE: Duration = Duration::from_secs(60);

    fn end(left: Duration) -> SystemTime {
        NOW.wall + left
    }

    #[test]
    fn token_is_bound_to_url_and_expiry() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        tokens.remember(TOKEN, "http://a.example/r4", &sender, end(MINUTE), NOW);
        tokens.remember(TOKEN, "http://a.example/r3", &sender, end(MINUTE), NOW);
        assert_eq!(tokens.sender(TOKEN, "http://a.example/r3", NOW).as_deref(), Some("sender"));
        assert_eq!(tokens.sender(TOKEN, "http://a.example/r4", NOW).as_deref(), Some("sender"));
        assert!(tokens.sender(TOKEN, "http://a.example/r5", NOW).is_none());
        assert!(tokens.sender(TOKEN, "http://b.example/r4", NOW).is_none());
        assert!(tokens.sender(TOKEN, "https://a.example/r4", NOW).is_none());
        assert!(tokens.sender(&TOKEN.replace("claims", "clAims"), "http://a.example/r4", NOW).is_none());
        assert!(tokens.sender(TOKEN, "http://a.example/r4", NOW.after(MINUTE)).is_none());
    }

    /// The machine was suspended, or its clock was set: only one clock shows it.
    #[test]
    fn token_ends_by_either_clock() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        for left in [MINUTE, LONGEST, 100 * LONGEST] {
            tokens.remember(TOKEN, "http://a.example", &sender, end(left), NOW);
            let longest = left.min(LONGEST);
            let found = |now: Moment| tokens.sender(TOKEN, "http://a.example", now).is_some();
            assert!(found(NOW.after(longest - Duration::from_millis(1))), "{left:?}");
            assert!(!found(Moment { wall: end(longest), ..NOW }), "{left:?}");
            assert!(!found(Moment { steady: longest, ..NOW }), "{left:?}");
        }
        tokens.remember(
            "head.claims.another-one-01234567890123456789",
            "http://b.example",
            &sender,
            NOW.wall,
            NOW.after(MINUTE),
        );
        assert!(
            tokens.sender("head.claims.another-one-01234567890123456789", "http://b.example", NOW).is_none()
        );
    }

    #[test]
    fn both_clocks_advance() {
        let wall = SystemTime::now();
        let first = Moment::now(wall);
        while Moment::now(wall).steady == first.steady {
            std::thread::yield_now();
        }
        assert!(Moment::now(wall).steady > first.steady);
    }

    #[test]
    fn cache_is_bounded_in_size_and_time() {
        let (tokens, sender) = (VerifiedTokens::new(), Arc::from("sender"));
        let token = |n: usize| format!("head.claims.{n:040}");
        let end = end(100 * LONGEST);
        for n in 0..MAX + 10 {
            tokens.remember(&token(n), "http://a.example", &sender, end, NOW);
        }
        assert_eq!(tokens.known.len(), MAX, "one goes for each that comes");
        let last = token(MAX + 9);
        assert!(tokens.sender(&last, "http://a.example", NOW).is_some());
        assert!(tokens.sender(&last, "http://a.example", NOW.after(LONGEST)).is_none());
        tokens.remember("short", "http://a.example", &sender, end, NOW);
        assert!(tokens.sender("short", "http://a.example", NOW).is_none());
    }
}
