//! The canary: a secret that must not appear in any output.

use std::error::Error as StdError;
use std::fmt;

use crate::Secret;

/// A secret of a world that must not appear in errors, in `Debug` output or in saved state.
#[derive(Clone, Debug)]
pub struct Canary {
    name: String,
    secret: Secret,
}

impl Canary {
    /// Creates a canary. A failed check shows `name`, never `secret`.
    pub fn new(name: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { name: name.into(), secret: Secret::new(secret) }
    }

    /// Returns true when `text` contains the secret, or a dot-separated part of it of at least 12 bytes: a
    /// JWT is leaked when its signature is.
    ///
    /// A secret of fewer than 8 bytes is never found, since any text may contain it by chance.
    pub fn is_in(&self, text: &str) -> bool {
        let secret = self.secret.expose();
        let parts = secret.split('.').filter(|part| part.len() >= 12);
        secret.len() >= 8 && (text.contains(secret) || parts.into_iter().any(|part| text.contains(part)))
    }
}

/// Returns the name of the first canary in the `Display` or `Debug` output of `error` or of any of its
/// sources.
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

/// Returns the name of the first canary in the `Debug` output of `value`.
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
    fn a_part_of_a_canary_is_found_in_a_source() {
        let canary = [Canary::new("token", "eyJhbGciOiJ.eyJpc3MiOiJ4In0.c2lnbmF0dXJlLW9m")];
        let inner = crate::Error::invalid("got c2lnbmF0dXJlLW9m");
        let outer = crate::Error::unavailable("failed").with_source(inner);
        assert_eq!(seen_in_error(&canary, &outer).as_deref(), Some("token"));
        assert_eq!(seen_in_debug(&canary, "eyJ"), None);
    }
}
