//! SHA-256 checksums of files and file trees.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256 checksum. The host compares content by checksum, never by time stamp.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::from_slice(digest(&SHA256, bytes).as_ref())
    }

    /// Returns the digest of named contents, in the given order.
    pub(crate) fn of_tree<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        /// The size from which gathered input is hashed, in bytes: each call of the hash function has a cost of its own.
        const BLOCK: usize = 8 * 1024;
        let mut context = Context::new(&SHA256);
        let mut block = Vec::with_capacity(2 * BLOCK);
        for (name, digest) in entries {
            // The length separates name and digest, so no two trees have the same input.
            block.extend_from_slice(&(name.len() as u64).to_be_bytes());
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(&digest.0);
            if block.len() >= BLOCK {
                context.update(&block);
                block.clear();
            }
        }
        context.update(&block);
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

/// Returns all 64 hexadecimal digits of a digest.
pub(crate) fn full(digest: Digest) -> String {
    format!("{digest:#}")
}

impl fmt::Display for Digest {
    /// Writes the first 12 hexadecimal digits; all 64 with `{:#}`.
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
    fn names_and_contents_do_not_mix() {
        let one = Digest::of_tree([("ab", Digest::of(b"c"))]);
        let other = Digest::of_tree([("a", Digest::of(b"bc"))]);
        assert_ne!(one, other);
        assert_eq!(Digest::of(b"").to_string(), "e3b0c44298fc");
    }
}
