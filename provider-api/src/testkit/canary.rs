use std::error::Error as StdError;
use std::fmt;

use crate::Secret;

/// A secret that a world has planted, and that must not be seen anywhere.
#[derive(Clone, Debug)]
pub struct Canary {
    name: String,
    secret: Secret,
}

impl Canary {
    /// `name` stands in the result when it was seen; the secret does not.
    pub fn new(name: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { name: name.into(), secret: Secret::new(secret) }
    }

    /// Whether it is in `text`, whole or in a part that is long enough to be of use: a JWT is seen when its
    /// signature is. One of fewer than 8 bytes is not looked for, since it may be in any text by chance.
    pub fn is_in(&self, text: &str) -> bool {
        let secret = self.secret.expose();
        let parts = secret.split('.').filter(|part| part.len() >= 12);
        secret.len() >= 8 && (text.contains(secret) || parts.into_iter().any(|part| text.contains(part)))
    }
}

/// Which of `canaries` can be seen in the `Display` or `Debug` of `error`, or of anything in its chain.
pub fn seen_in_error(canaries: &[Canary], error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(name) = seen_in(canaries, &format!("{error} {error:?} {error:#?}")) {
            return Some(name);
        }
        next = error.source();
    }
    None
}

/// Which of `canaries` can be seen in the `Debug` of `value`.
pub fn seen_in_debug(canaries: &[Canary], value: &(impl fmt::Debug + ?Sized)) -> Option<String> {
    seen_in(canaries, &format!("{value:?} {value:#?}"))
}

fn seen_in(canaries: &[Canary], text: &str) -> Option<String> {
    canaries.iter().find(|canary| canary.is_in(text)).map(|canary| canary.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_seen_whole_and_in_parts_and_down_the_chain() {
        let canary = [Canary::new("token", "eyJhbGciOiJ.eyJpc3MiOiJ4In0.c2lnbmF0dXJlLW9m")];
        let inner = crate::Error::invalid("got c2lnbmF0dXJlLW9m");
        let outer = crate::Error::unavailable("asking").with_source(inner);
        assert_eq!(seen_in_error(&canary, &outer).as_deref(), Some("token"));
        assert_eq!(seen_in_debug(&canary, "eyJ"), None);
    }
}
