//! The body of a response over HTTP/1, by its framing.

use bytes::Bytes;

use crate::proxy::pool::chunks::Chunks;
use crate::proxy::pool::decoded::{Decoded, Malformed};

/// The framing of a body (RFC 9112, section 6.3), and what is left of it.
#[derive(Debug)]
pub(super) enum Decoder {
    /// The bytes that are left.
    Length(u64),
    Chunked(Box<Chunks>),
    /// The body ends with the connection.
    UntilClose,
    Ended,
}

impl Decoder {
    /// Decodes the next part of the body, and takes it from `input`.
    ///
    /// # Errors
    /// The body is malformed.
    pub(super) fn decode(&mut self, input: &mut Bytes) -> Result<Decoded, Malformed> {
        let decoded = match self {
            Self::Ended | Self::Length(0) => Decoded::End,
            Self::Chunked(chunks) => chunks.decode(input)?,
            Self::Length(_) | Self::UntilClose if input.is_empty() => Decoded::More,
            Self::UntilClose => Decoded::Data(std::mem::take(input)),
            Self::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= count as u64;
                Decoded::Data(if count == input.len() {
                    std::mem::take(input)
                } else {
                    input.split_to(count)
                })
            }
        };
        if matches!(decoded, Decoded::End | Decoded::Trailers(_)) || matches!(self, Self::Length(0)) {
            *self = Self::Ended;
        }
        Ok(decoded)
    }

    /// Notes the end of the connection. Returns whether it is the end of the body.
    pub(super) fn end(&mut self) -> bool {
        let is_end = matches!(self, Self::UntilClose | Self::Ended);
        *self = Self::Ended;
        is_end
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// Returns the bytes that are left, if their number is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Ended => Some(0),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }
}
