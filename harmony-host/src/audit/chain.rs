//! The chain of records: each line has a keyed hash of itself and of the line before.

use std::fmt;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::audit::Event;
use crate::audit::key::Key;

/// The name of the event that begins each file: it repeats the hash of the record before, so that the files before may be
/// removed by the retention.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// The detail of a checkpoint that has the hash of the record before.
pub(super) const BEFORE: &str = "before";

/// The text before the hash of a line.
const MARK: &str = ",\"mac\":\"";

/// The text behind it.
const END: &str = "\"}";

/// The digits of a hash.
const DIGITS: usize = 64;

/// The keyed hash of a record: HMAC-SHA256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mac([u8; DIGITS / 2]);

impl Mac {
    /// The hash in front of the first record.
    pub(super) const NONE: Self = Self([0; DIGITS / 2]);

    /// Parses the lower-case hexadecimal form. No other spelling is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if text.len() != DIGITS {
            return None;
        }
        let mut bytes = [0; DIGITS / 2];
        for (to, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *to = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A record: an event with its number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The number, counted from 1 without gaps.
    pub(super) n: u64,
    #[serde(flatten)]
    pub(super) event: Event,
}

/// The purpose of a keyed hash: one of a record is none of a head.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Record,
    Head,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Record => b"harmony audit record\0",
            Self::Head => b"harmony audit head\0",
        }
    }
}

/// Returns the keyed hash of `body` behind the record with the hash `before`.
pub(super) fn mac(key: &Key, purpose: Purpose, before: Mac, body: &[u8]) -> Mac {
    let mut context = hmac::Context::with_key(key.hmac());
    context.update(purpose.label());
    context.update(&before.0);
    context.update(body);
    let mut bytes = [0; DIGITS / 2];
    bytes.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
    Mac(bytes)
}

/// Appends `value` as a line with its keyed hash, and returns the hash.
///
/// # Errors
/// A value that JSON cannot express as an object.
pub(super) fn seal(
    key: &Key,
    purpose: Purpose,
    before: Mac,
    value: &impl Serialize,
    line: &mut Vec<u8>,
) -> std::io::Result<Mac> {
    let json = serde_json::to_string(value).map_err(std::io::Error::other)?;
    let body = json.strip_suffix('}').ok_or_else(|| std::io::Error::other("a record is no object"))?;
    let mac = mac(key, purpose, before, body.as_bytes());
    line.extend_from_slice(format!("{body}{MARK}{mac}{END}\n").as_bytes());
    Ok(mac)
}

/// Splits a line without its end into its body and its hash. `None` for a line of another form.
pub(super) fn split(line: &[u8]) -> Option<(&str, Mac)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix(END)?;
    let at = line.len().checked_sub(DIGITS)?;
    let (body, digits) = (line.get(..at)?.strip_suffix(MARK)?, line.get(at..)?);
    Some((body, Mac::parse(digits)?))
}

/// Parses the body of a line.
pub(super) fn parse<T: serde::de::DeserializeOwned>(body: &str) -> Option<T> {
    serde_json::from_str(&format!("{body}}}")).ok()
}
