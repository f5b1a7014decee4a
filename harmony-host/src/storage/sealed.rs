//! Files with a checksum: a first line with the SHA-256 of the rest, so that a damaged file is never taken for an intact
//! one.

use std::io;

use serde::Serialize;

use crate::storage::digest::{Digest, full};

/// Returns `value` as JSON below its checksum.
///
/// # Errors
/// A value that JSON cannot express.
pub(crate) fn seal(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut sealed = full(Digest::of(b"")).into_bytes();
    let length = sealed.len();
    sealed.push(b'\n');
    serde_json::to_writer(&mut sealed, value).map_err(io::Error::other)?;
    let checksum = full(Digest::of(&sealed[length + 1..]));
    sealed[..length].copy_from_slice(checksum.as_bytes());
    sealed.push(b'\n');
    Ok(sealed)
}

/// Verifies the checksum and returns the text below it. Never panics, whatever the bytes.
///
/// # Errors
/// The reason for which the bytes are no intact file.
pub(crate) fn unseal(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8")?;
    let (checksum, body) = text.split_once('\n').ok_or("the checksum line is missing")?;
    let body = body.strip_suffix('\n').ok_or("the end of the file is missing")?;
    match full(Digest::of(body.as_bytes())) == checksum {
        true => Ok(body),
        false => Err("the checksum does not match"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_intact_files_are_read() {
        let sealed = seal(&["a", "b\n"]).unwrap();
        assert_eq!(unseal(&sealed), Ok(r#"["a","b\n"]"#));
        for at in 0..sealed.len() {
            assert!(unseal(&sealed[..at]).is_err(), "cut at {at}");
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(unseal(&flipped).is_err(), "flipped at {at}");
        }
    }
}
