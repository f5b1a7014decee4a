use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};

/// The SHA-256 of some bytes; what "the same content" means here, never a time stamp.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_slice(digest(&SHA256, bytes).as_ref())
    }

    /// The digest of named contents, in the order given.
    pub fn of_tree<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let mut context = Context::new(&SHA256);
        for (name, digest) in entries {
            context.update(&(name.len() as u64).to_be_bytes());
            context.update(name.as_bytes());
            context.update(&digest.0);
        }
        Self::from_slice(context.finish().as_ref())
    }

    fn from_slice(slice: &[u8]) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(slice) {
            *to = *from;
        }
        Self(bytes)
    }
}

/// All 64 hexadecimal digits of a digest.
pub(crate) fn full(digest: Digest) -> String {
    format!("{digest:#}")
}

impl fmt::Display for Digest {
    /// The first 12 hexadecimal digits; all of them with `{:#}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() { 32 } else { 6 };
        self.0.iter().take(shown).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_name_and_content_changes_the_tree() {
        let one = Digest::of_tree([("ab", Digest::of(b"c"))]);
        let other = Digest::of_tree([("a", Digest::of(b"bc"))]);
        assert_ne!(one, other);
        assert_eq!(Digest::of(b"").to_string(), "e3b0c44298fc");
    }
}
