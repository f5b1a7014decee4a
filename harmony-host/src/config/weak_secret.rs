//! Secrets that protect nothing: short ones, and those of public examples.

use provider_api::Secret;

use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;

/// The least bytes of an HS256 key (RFC 7518, section 3.2).
const LEAST_BYTES: usize = 32;

/// Secrets of public examples and documents, each of which anybody can read.
const EXAMPLES: [&str; 8] = [
    "mesh-test-secret-key-change-in-production",
    "healthcare-mesh-shared-secret-min-32-characters",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "0123456789abcdef0123456789abcdef",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "quickstart-secret-that-everybody-can-read-here",
    "embed-axum-secret-that-everybody-can-read-here",
];

/// Parts of secrets that were written to be replaced.
const MARKERS: [&str; 6] =
    ["change-me", "changeme", "change_me", "change-in-production", "your-secret", "example-secret"];

/// Adds a warning for a shared key that is short, or that public examples have. The secret itself is not shown.
pub(crate) fn check(key: &str, secret: &Spanned<Secret>, problems: &mut Problems) {
    let value = secret.value.expose();
    let plain = value.to_ascii_lowercase();
    let message = if EXAMPLES.contains(&plain.as_str()) || MARKERS.iter().any(|marker| plain.contains(marker))
    {
        "this secret is in public examples: anybody can forge what it protects".to_owned()
    } else if value.len() < LEAST_BYTES && !value.trim().is_empty() {
        format!("this secret has {} bytes; a shorter one than {LEAST_BYTES} can be guessed", value.len())
    } else {
        return;
    };
    problems.warn(Some(&secret.place), key, message).help("generate one with `openssl rand -hex 32`");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::source::{Place, Source};

    fn warnings(secret: &str) -> usize {
        let place = Place::new(&Source::new("a.toml", ""), 0..0);
        let mut problems = Problems::default();
        check("k", &Spanned::new(Secret::new(secret.to_owned()), place), &mut problems);
        assert!(!format!("{problems:?}").contains(secret));
        problems.warnings().count()
    }

    #[test]
    fn short_and_known_secrets_are_warned_about() {
        for weak in ["tiny5", EXAMPLES[0], EXAMPLES[4], "please-CHANGE-ME-before-you-go-to-production"] {
            assert_eq!(warnings(weak), 1, "{weak}");
        }
        assert_eq!(warnings("q7Zr1mB8x0Kp3vLt6NcY2wHs5dGf9aJe4"), 0);
    }
}
