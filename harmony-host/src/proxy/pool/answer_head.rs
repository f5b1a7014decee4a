//! The head of a response over HTTP/1, read once: what its framing is, and which headers are for the client.
//!
//! A response of valid lines takes one pass of a strict parser. Others are read again by a lenient one, as a proxy may repair
//! them, unless an [invalid line](super::invalid_lines) is about the framing.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes};
use http::header::{
    CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use httparse::{Header, ParserConfig, Response, Status};

use crate::http::limits::MAX_HEADERS;
use crate::http::spare_headers;
use crate::proxy::chains::{append_via, via};
use crate::proxy::headers::{KEEP_ALIVE, PROXY_CONNECTION, number};
use crate::proxy::pool::chunks::Chunks;
use crate::proxy::pool::decoded::Malformed;
use crate::proxy::pool::decoder::Decoder;
use crate::proxy::pool::invalid_lines;
use crate::proxy::pool::known_lines::KnownLines;

/// The maximum size of the head of a response, with those of informational responses before it that were not read yet.
const MAX_ANSWER_HEAD_BYTES: usize = 400 * 1024;

/// The number of headers for which a table on the stack is enough. Those of most responses are fewer.
const FEW_HEADERS: usize = 64;

/// The head of a response.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    /// The headers that are not for this connection only, with at most one Content-Length, which agrees with the framing, and
    /// with this hop in Via. A response 101 has Upgrade too.
    pub(super) headers: HeaderMap,
    pub(super) body: Decoder,
    /// Set if the server permits another request on the connection.
    pub(super) is_kept_alive: bool,
}

/// Reads the head of the response to a request with `method`, and takes it from `input`. Informational responses before it are
/// left out. `None` if a part of it is missing; `scanned` is then the number of bytes in which no end was found. `known` are the
/// lines of the connection.
///
/// # Errors
/// The head is malformed, or exceeds a limit.
pub(super) fn read(
    input: &mut Bytes,
    method: &Method,
    scanned: &mut usize,
    known: &mut KnownLines,
) -> Result<Option<Head>, Malformed> {
    skip_empty_lines(input, scanned);
    while has_end(input, *scanned) {
        let Some((head, length)) = parse(input, method, known)? else { break };
        input.advance(length);
        *scanned = 0;
        if head.is_some() {
            return Ok(head);
        }
    }
    if input.len() > MAX_ANSWER_HEAD_BYTES {
        return Err(Malformed::TooLarge);
    }
    *scanned = input.len();
    Ok(None)
}

/// Skips the empty lines that servers send before a response. The parser would read them again with each piece of a head.
fn skip_empty_lines(input: &mut Bytes, scanned: &mut usize) {
    while let Some(rest) = input.strip_prefix(b"\r\n").or_else(|| input.strip_prefix(b"\n")) {
        input.advance(input.len() - rest.len());
        *scanned = 0;
    }
}

/// Returns whether a head may end in `input`. A head that comes in small pieces is not parsed for each of them.
fn has_end(input: &[u8], scanned: usize) -> bool {
    if scanned == 0 {
        return !input.is_empty();
    }
    let new = input.get(scanned.saturating_sub(3)..).unwrap_or_default();
    new.windows(2).any(|two| two == b"\n\n") || new.windows(3).any(|three| three == b"\n\r\n")
}

/// A head, or `None` for an informational one, and its length.
type Parsed = Option<(Option<Head>, usize)>;

fn parse(input: &Bytes, method: &Method, known: &mut KnownLines) -> Result<Parsed, Malformed> {
    let mut few = [const { MaybeUninit::uninit() }; FEW_HEADERS];
    let mut response = Response::new(&mut []);
    match ParserConfig::default().parse_response_with_uninit_headers(&mut response, input, &mut few) {
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete(length)) => Ok(Some((head_of(&response, input, method, known)?, length))),
        Err(_) => parse_repaired(input, method),
    }
}

/// Parses a head with many headers, or with invalid lines.
#[cold]
fn parse_repaired(input: &Bytes, method: &Method) -> Result<Parsed, Malformed> {
    let mut table: Vec<MaybeUninit<Header<'_>>> = vec![MaybeUninit::uninit(); MAX_HEADERS];
    let mut response = Response::new(&mut []);
    let mut config = ParserConfig::default();
    config
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    match config.parse_response_with_uninit_headers(&mut response, input, &mut table) {
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete(length)) => {
            if !invalid_lines::are_harmless(input.get(..length).unwrap_or_default()) {
                return Err(Malformed::Framing);
            }
            Ok(Some((head_of(&response, input, method, &mut KnownLines::default())?, length)))
        }
        Err(httparse::Error::TooManyHeaders) => Err(Malformed::TooLarge),
        Err(_) => Err(Malformed::Head),
    }
}

/// Creates the head of a parsed response; `None` for an informational one.
fn head_of(
    response: &Response<'_, '_>,
    input: &Bytes,
    method: &Method,
    known: &mut KnownLines,
) -> Result<Option<Head>, Malformed> {
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Head)?;
    let is_switched = status == StatusCode::SWITCHING_PROTOCOLS;
    if status.is_informational() && !is_switched {
        return Ok(None);
    }
    let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut headers = spare_headers::take();
    headers.reserve(response.headers.len() + 1);
    let (mut fields, mut has_via) = (Fields::default(), false);
    for (at, header) in response.headers.iter().enumerate() {
        let (name, parsed) = match known.get(at, header.name.as_bytes(), header.value) {
            Some(line) => line,
            None => line(at, header, input, known)?,
        };
        match name {
            CONTENT_LENGTH => fields.note_length(header.value),
            TRANSFER_ENCODING => fields.note_coding(header.value),
            CONNECTION => fields.note_connection(header.value),
            UPGRADE if !is_switched => {}
            TE | PROXY_AUTHENTICATE | PROXY_AUTHORIZATION => {}
            _ if name == KEEP_ALIVE || name == PROXY_CONNECTION => {}
            _ => {
                has_via |= name == VIA;
                headers.append(name, parsed);
            }
        }
    }
    for name in fields.listed.iter().filter(|name| **name != UPGRADE) {
        headers.remove(name);
    }
    let body = fields.framing(status, version, method)?;
    if let Some(length) = fields.length(&body) {
        headers.append(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if has_via {
        append_via(&mut headers, version);
    } else {
        headers.append(VIA, HeaderValue::from_static(via(version)));
    }
    let is_kept_alive = !fields.is_closing
        && !matches!(body, Decoder::UntilClose)
        && !is_switched
        && (version == Version::HTTP_11 || fields.is_kept_alive);
    Ok(Some(Head { status, version, headers, body, is_kept_alive }))
}

/// Parses a line.
fn line(
    at: usize,
    header: &Header<'_>,
    input: &Bytes,
    known: &mut KnownLines,
) -> Result<(HeaderName, HeaderValue), Malformed> {
    let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed::Head)?;
    let value = value(header.value, input)?;
    if value.as_bytes() == header.value {
        known.put(at, header.name.as_bytes(), &name, &value);
    }
    Ok((name, value))
}

/// Returns a value as a part of `input`, or as a copy without its folds.
fn value(bytes: &[u8], input: &Bytes) -> Result<HeaderValue, Malformed> {
    HeaderValue::from_maybe_shared(input.slice_ref(bytes)).or_else(|_| unfolded(bytes))
}

/// Returns a value with a space in place of each fold (RFC 9112, section 5.2).
#[cold]
fn unfolded(bytes: &[u8]) -> Result<HeaderValue, Malformed> {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    HeaderValue::from_bytes(&lines.join(&b' ')).map_err(|_| Malformed::Head)
}

/// The fields of a head that are about this connection and the framing.
#[derive(Debug, Default)]
struct Fields {
    /// The Content-Length, if there is one; an error if it is invalid or there are several different ones.
    length: Option<Result<u64, ()>>,
    codings: usize,
    is_chunked: bool,
    is_plain: bool,
    is_closing: bool,
    is_kept_alive: bool,
    /// The names of headers that Connection lists.
    listed: Vec<HeaderName>,
}

impl Fields {
    fn note_length(&mut self, value: &[u8]) {
        for part in value.split(|byte| *byte == b',') {
            let length = number(part).ok_or(());
            self.length = Some(match self.length {
                Some(before) if before != length => Err(()),
                _ => length,
            });
        }
    }

    fn note_coding(&mut self, value: &[u8]) {
        self.codings += 1;
        self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
        // Old servers send `identity`, which is no coding.
        self.is_plain = self.codings == 1 && (self.is_chunked || value.eq_ignore_ascii_case(b"identity"));
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.is_closing = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.is_kept_alive = true;
            } else if let Ok(name) = HeaderName::from_bytes(option) {
                self.listed.push(name);
            }
        }
    }

    /// Returns the framing of the body (RFC 9112, section 6.3).
    fn framing(&self, status: StatusCode, version: Version, method: &Method) -> Result<Decoder, Malformed> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Decoder::Ended);
        }
        // Transfer-Encoding is for this connection only: the client would get the coded body without the header that names
        // the coding.
        if self.codings > 0 && !self.is_plain {
            return Err(Malformed::Coding);
        }
        if *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Ok(Decoder::Ended);
        }
        match self.length {
            _ if self.codings > 0 && version == Version::HTTP_10 => Err(Malformed::Head),
            _ if self.is_chunked => Ok(Decoder::Chunked(Box::new(Chunks::new()))),
            _ if self.codings > 0 => Ok(Decoder::UntilClose),
            Some(Ok(0)) => Ok(Decoder::Ended),
            Some(Ok(length)) => Ok(Decoder::Length(length)),
            Some(Err(())) => Err(Malformed::Framing),
            None => Ok(Decoder::UntilClose),
        }
    }

    /// Returns the Content-Length for the client. Transfer-Encoding overrides it (RFC 9112, section 6.3): a client that saw it
    /// would cut the body there.
    fn length(&self, body: &Decoder) -> Option<u64> {
        let is_true = self.codings == 0 && !matches!(body, Decoder::Chunked(_) | Decoder::UntilClose);
        self.length.filter(|_| is_true)?.ok()
    }
}
