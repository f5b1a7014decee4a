//! The chunked transfer coding of a response (RFC 9112, section 7.1).

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::limits::MAX_HEADERS;
use crate::proxy::pool::decoded::{Decoded, Malformed};

/// The maximum size of the extensions of all chunks of a body.
const MAX_EXTENSION_BYTES: usize = 16 * 1024;

/// The maximum size of the trailers.
const MAX_TRAILER_BYTES: usize = 16 * 1024;

/// The state of a chunked body while it is read. It never guesses: a line end is CRLF, and a size has digits only.
#[derive(Debug)]
pub(super) struct Chunks {
    part: Part,
    /// The size of the chunk, or what is left of its data.
    size: u64,
    extension_bytes: usize,
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first digit of a size.
    Start,
    Size,
    /// Spaces after a size.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// The begin of a line of the trailers. An empty one ends them.
    Trailers,
    Line,
    LineLf,
    EndLf,
    End,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { part: Part::Start, size: 0, extension_bytes: 0, trailers: Vec::new() }
    }

    /// Decodes the next part of a body, and takes it from `input`.
    ///
    /// # Errors
    /// The body is malformed, or exceeds a limit.
    pub(super) fn decode(&mut self, input: &mut Bytes) -> Result<Decoded, Malformed> {
        loop {
            if self.part == Part::End {
                return Ok(Decoded::End);
            }
            let Some(byte) = input.first().copied() else { return Ok(Decoded::More) };
            if self.part == Part::Data {
                let count = usize::try_from(self.size).unwrap_or(usize::MAX).min(input.len());
                self.size -= count as u64;
                if self.size == 0 {
                    self.part = Part::DataCr;
                }
                return Ok(Decoded::Data(input.split_to(count)));
            }
            input.advance(1);
            self.part = self.step(byte)?;
            if self.part == Part::End && !self.trailers.is_empty() {
                return Ok(Decoded::Trailers(self.parsed_trailers()?));
            }
        }
    }

    /// Returns the part that follows a byte outside of the data.
    fn step(&mut self, byte: u8) -> Result<Part, Malformed> {
        Ok(match (self.part, byte) {
            (Part::Start | Part::Size, digit) if digit.is_ascii_hexdigit() => self.digit(digit)?,
            (Part::Size | Part::Space, b' ' | b'\t') => Part::Space,
            (Part::Size | Part::Space, b';') => Part::Extension,
            (Part::Size | Part::Space | Part::Extension, b'\r') => Part::SizeLf,
            (Part::Extension, byte) if !byte.is_ascii_control() || byte == b'\t' => {
                self.extension_bytes += 1;
                if self.extension_bytes > MAX_EXTENSION_BYTES {
                    return Err(Malformed::Body("chunk extensions that are too long"));
                }
                Part::Extension
            }
            (Part::SizeLf, b'\n') if self.size == 0 => Part::Trailers,
            (Part::SizeLf, b'\n') => Part::Data,
            (Part::DataCr, b'\r') => Part::DataLf,
            (Part::DataLf, b'\n') => Part::Start,
            (Part::Trailers, b'\r') => Part::EndLf,
            (Part::Trailers | Part::Line, byte) if byte != b'\n' => self.trailer(byte)?,
            (Part::LineLf, b'\n') => {
                self.trailer(byte)?;
                Part::Trailers
            }
            (Part::EndLf, b'\n') => Part::End,
            _ => return Err(Malformed::Body("an invalid chunk")),
        })
    }

    fn digit(&mut self, digit: u8) -> Result<Part, Malformed> {
        let value = char::from(digit).to_digit(16).map_or(0, u64::from);
        let before = if self.part == Part::Start { 0 } else { self.size };
        let size = before.checked_mul(16).and_then(|size| size.checked_add(value));
        self.size = size.ok_or(Malformed::Body("a chunk that is too large"))?;
        Ok(Part::Size)
    }

    /// Keeps a byte of the trailers.
    fn trailer(&mut self, byte: u8) -> Result<Part, Malformed> {
        if self.trailers.len() >= MAX_TRAILER_BYTES {
            return Err(Malformed::Body("trailers that are too large"));
        }
        self.trailers.push(byte);
        Ok(if byte == b'\r' { Part::LineLf } else { Part::Line })
    }

    fn parsed_trailers(&mut self) -> Result<HeaderMap, Malformed> {
        const INVALID: Malformed = Malformed::Body("invalid trailers");
        self.trailers.extend_from_slice(b"\r\n");
        let mut table = vec![httparse::EMPTY_HEADER; MAX_HEADERS];
        let Ok(httparse::Status::Complete((length, fields))) =
            httparse::parse_headers(&self.trailers, &mut table)
        else {
            return Err(INVALID);
        };
        if length != self.trailers.len() {
            return Err(INVALID);
        }
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| INVALID)?;
            trailers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| INVALID)?);
        }
        Ok(trailers)
    }
}
