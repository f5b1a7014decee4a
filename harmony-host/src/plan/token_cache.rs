use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::http::url_prefix::Scheme;

/// The tokens of one mesh that were found good, so that the next request of the same sender costs no signature.
///
/// Only what was verified gets in, and only a token that is the same to its last byte is found. What is
/// remembered is that it is good for a URL and, as the contract says, for all below it; never that one is bad.
/// Reading takes no lock and makes nothing.
pub struct VerifiedTokens {
    known: ArcSwap<HashMap<Tail, Arc<Verified>>>,
    writing: Mutex<()>,
}

/// The URL that a route stands for, as the request wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// Host and port, as the request wrote them.
    pub authority: &'a str,
    /// The part of the path that chose the route.
    pub prefix: &'a str,
}

/// The end of a token, which is of its signature: as good as random, and quicker to hash than all of it.
type Tail = [u8; 32];

#[derive(Clone)]
struct Verified {
    token: Box<str>,
    bases: Vec<(Scheme, Box<str>, Box<str>)>,
    sender: Arc<str>,
    until: Instant,
}

/// How many URLs one token is remembered to be good for.
const MAX_BASES: usize = 8;

/// How many tokens are remembered.
const MAX: usize = 4096;

/// How long a token is taken to be good at most: by then its key may have been withdrawn.
const LONGEST: Duration = Duration::from_secs(300);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self::new()
    }
}

impl VerifiedTokens {
    /// None yet.
    pub fn new() -> Self {
        Self { known: ArcSwap::default(), writing: Mutex::new(()) }
    }

    /// The sender of a token that is known to be good for `base`.
    pub fn sender(&self, token: &str, base: &Base<'_>) -> Option<Arc<str>> {
        let known = self.known.load();
        let verified = known.get(&tail(token)?)?;
        let same = *verified.token == *token && verified.bases.iter().any(|known| base.is(known));
        (same && Instant::now() < verified.until).then(|| Arc::clone(&verified.sender))
    }

    /// Remembers that a token of `sender` is good for `base` for another `left`.
    pub fn remember(&self, token: &str, base: &Base<'_>, sender: &Arc<str>, left: Duration) {
        let Some(tail) = tail(token) else { return };
        if left.is_zero() {
            return;
        }
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
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
    async fn a_token_is_known_for_the_url_it_was_verified_for_until_it_ends() {
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
    async fn what_is_remembered_is_bounded_in_number_and_in_time() {
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
