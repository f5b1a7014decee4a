//! Request targets as clients write them: bytes that belong escaped into a path or a query are escaped.
//!
//! Old HTTP clients, as DICOM systems have them, send `<`, `>`, `"` and letters beyond ASCII as they are. The HTTP parser
//! answers these with 400 before the gateway sees a request, so they are escaped in front of it. Where the next request
//! begins must never be in doubt: after a request whose body has not one plain length (chunked bodies, upgrades), the rest
//! of the connection is passed on as it is, and the parser decides.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::{memchr, memchr2};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection of a client whose HTTP/1 request targets are escaped.
#[derive(Debug)]
pub(super) struct Targets<T> {
    io: T,
    scan: Scan,
    /// Bytes that were read and escaped, and have not been passed on.
    pending: Vec<u8>,
}

impl<T> Targets<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, scan: Scan::default(), pending: Vec::new() }
    }

    /// Takes back bytes that were read last, which are read again.
    pub(super) fn give_back(&mut self, bytes: &[u8]) {
        self.pending.splice(..0, bytes.iter().copied());
    }

    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>>
    where
        T: AsyncRead + Unpin,
    {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        if let Some(escaped) = self.scan.read(read) {
            self.pending = escaped;
            buffer.set_filled(before);
            self.pass_on(buffer);
        }
        Poll::Ready(Ok(()))
    }

    fn pass_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.pending.len().min(buffer.remaining());
        buffer.put_slice(self.pending.get(..count).unwrap_or_default());
        self.pending.drain(..count);
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Targets<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.pending.is_empty() {
            return this.read(cx, buffer);
        }
        this.pass_on(buffer);
        if this.pending.is_empty() && buffer.remaining() > 0 {
            // What follows is read with it: two small reads would let the server double its buffer. An error or the end is
            // read again.
            this.pending = Vec::new();
            let _ = this.read(cx, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Targets<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// The part of a message that the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// The line ends that may precede a request.
    #[default]
    Start,
    Method,
    Target,
    Version,
    Name,
    Value,
    /// A body, with the number of bytes that are left.
    Body(u64),
    /// All that follows: nothing is escaped any more.
    Opaque,
}

/// The state of a connection between reads.
#[derive(Debug, Default)]
struct Scan {
    part: Part,
    /// The method, the name of a header or the value of Content-Length, up to [`KEPT`] bytes.
    word: Vec<u8>,
    /// The bytes and slashes of the target so far. The path of a URL begins at its third slash.
    target: usize,
    slashes: usize,
    in_path: bool,
    field: Field,
    length: Length,
}

/// The header that the value belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    Length,
    /// One after which the body has no plain length, or the connection another protocol.
    Opaque,
    #[default]
    Other,
}

impl Field {
    fn of(name: &[u8]) -> Self {
        let is = |field: &[u8]| name.eq_ignore_ascii_case(field);
        if is(b"content-length") {
            return Self::Length;
        }
        if is(b"transfer-encoding") || is(b"upgrade") { Self::Opaque } else { Self::Other }
    }
}

/// The length of the body, by the headers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    None,
    Bytes(u64),
    Unclear,
}

/// The bytes that are kept of a word. Longer than each word that is compared, and than every length.
const KEPT: usize = 32;

/// Returns whether the HTTP parser refuses a byte of a path or a query which clients send, and which has a meaning there
/// if it is escaped. Others that it accepts are escaped later: it reads them in the same way.
fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'"' | b'`') || !byte.is_ascii()
}

/// Returns the end of the line of which `bytes` have a part from `start`.
fn end_of_line(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    memchr(b'\n', rest).map_or(bytes.len(), |line| start + line + 1)
}

impl Scan {
    /// Reads bytes of the client, and returns them with their targets escaped; `None` if there is nothing to escape.
    fn read(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut escaped: Option<Vec<u8>> = None;
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let mut end = at + 1;
            match self.part {
                Part::Opaque => end = bytes.len(),
                Part::Body(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    end = at + count;
                    let left = left - count as u64;
                    self.part = if left == 0 { Part::Start } else { Part::Body(left) };
                }
                Part::Value if self.field != Field::Length => {
                    end = end_of_line(bytes, at);
                    if bytes.get(end - 1) == Some(&b'\n') {
                        self.part = Part::Name;
                        self.word.clear();
                    }
                }
                Part::Version => {
                    end = end_of_line(bytes, at);
                    if bytes.get(end - 1) == Some(&b'\n') {
                        self.end_line();
                    }
                }
                Part::Name if self.word.is_empty() => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    match memchr2(b':', b'\n', rest).and_then(|end| rest.split_at_checked(end)) {
                        Some((name, [b':', ..])) => {
                            end = at + name.len() + 1;
                            self.end_name(Field::of(name));
                        }
                        _ => self.step(byte),
                    }
                }
                Part::Target if self.in_path && is_escaped(byte) => {
                    let out = escaped.get_or_insert_with(|| bytes.get(..at).unwrap_or_default().to_vec());
                    out.extend_from_slice(format!("%{byte:02X}").as_bytes());
                    at = end;
                    continue;
                }
                _ => self.step(byte),
            }
            if let Some(out) = &mut escaped {
                out.extend_from_slice(bytes.get(at..end).unwrap_or_default());
            }
            at = end;
        }
        escaped
    }

    /// Takes one byte of a head.
    fn step(&mut self, byte: u8) {
        match (self.part, byte) {
            (Part::Start, b'\r' | b'\n') => {}
            (Part::Start, _) => {
                let mut word = std::mem::take(&mut self.word);
                word.clear();
                word.push(byte);
                *self = Self { part: Part::Method, word, ..Self::default() };
            }
            (_, b'\n') => self.end_line(),
            (Part::Method, b' ') => {
                self.part = Part::Target;
                if self.word.eq_ignore_ascii_case(b"connect") {
                    self.length = Length::Unclear;
                }
            }
            (Part::Target, b' ') => {
                self.part = Part::Version;
            }
            (Part::Target, _) => {
                self.slashes += usize::from(byte == b'/');
                self.in_path |= match byte {
                    b'/' => self.target == 0 || self.slashes == 3,
                    b'?' => self.slashes >= 2,
                    _ => false,
                };
                self.target += 1;
            }
            (Part::Name, b':') => self.end_name(Field::of(&self.word)),
            (Part::Method | Part::Name | Part::Value, byte) if byte != b'\r' && self.word.len() < KEPT => {
                self.word.push(byte);
            }
            _ => {}
        }
    }

    fn end_name(&mut self, field: Field) {
        (self.part, self.field) = (Part::Value, field);
        let is_second = self.field == Field::Length && self.length != Length::None;
        if self.field == Field::Opaque || is_second {
            self.length = Length::Unclear;
        }
        self.word.clear();
    }

    fn end_line(&mut self) {
        self.part = match (self.part, self.length) {
            (Part::Version, _) => Part::Name,
            (Part::Value, length) => {
                if length == Length::None {
                    self.length = plain_length(&self.word).map_or(Length::Unclear, Length::Bytes);
                }
                Part::Name
            }
            // The end of the head.
            (Part::Name, Length::None | Length::Bytes(0)) if self.word.is_empty() => Part::Start,
            (Part::Name, Length::Bytes(count)) if self.word.is_empty() => Part::Body(count),
            _ => Part::Opaque,
        };
        self.word.clear();
    }
}

/// Returns the number of a Content-Length without signs and lists.
fn plain_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let is_plain = value.len() < KEPT && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in pieces of several sizes.
    fn escaped(text: &[u8]) -> String {
        let results = [1, 2, 3, 7, 10_000].map(|size| {
            let mut scan = Scan::default();
            let parts = text.chunks(size).flat_map(|part| scan.read(part).unwrap_or_else(|| part.to_vec()));
            String::from_utf8_lossy(&parts.collect::<Vec<u8>>()).into_owned()
        });
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        let [result, ..] = results;
        result
    }

    #[test]
    fn targets_are_escaped() {
        for (target, expected) in [
            ("/a<b>?c=\"d\"`", "/a%3Cb%3E?c=%22d%22%60"),
            ("/\u{fc}?\u{fc}", "/%C3%BC?%C3%BC"),
            ("http://a/<", "http://a/%3C"),
            ("http://a?<", "http://a?%3C"),
            // The host is not escaped: it would be another one.
            ("http://a<b/", "http://a<b/"),
            ("a<b:80", "a<b:80"),
            ("/{}|^\\%3c[]'", "/{}|^\\%3c[]'"),
        ] {
            let text = format!("GET {target} HTTP/1.1\r\nX: <\"\u{fc}\r\n\r\n");
            let expected = format!("GET {expected} HTTP/1.1\r\nX: <\"\u{fc}\r\n\r\n");
            assert_eq!(escaped(text.as_bytes()), expected);
        }
        assert_eq!(escaped(b"GET /\xfc HTTP/1.1\r\n\r\n"), "GET /%FC HTTP/1.1\r\n\r\n");
    }

    /// Bodies stay as they are, also if they look like requests.
    #[test]
    fn only_targets_are_escaped() {
        let next = "GET /< HTTP/1.1\r\n\r\n";
        let length = next.len();
        for (head, is_known) in [
            (String::new(), true),
            ("Content-Length: 0".to_owned(), true),
            (format!("content-length:{length} "), true),
            (format!("X: y\r\nContent-Length: {length}\r\nY: z"), true),
            (format!("Content-Length: {length}\r\nContent-Length: {length}"), false),
            ("Content-Length: +1".to_owned(), false),
            ("Content-Length: 99999999999999999999999999999999999999999".to_owned(), false),
            ("Transfer-Encoding: chunked".to_owned(), false),
            (format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"), false),
            ("Upgrade: websocket".to_owned(), false),
        ] {
            let body = if head.to_lowercase().contains(&format!(":{length}"))
                || head.contains(&format!(": {length}"))
            {
                next
            } else {
                ""
            };
            let end = if head.is_empty() { "" } else { "\r\n" };
            let text = format!("\r\nPOST / HTTP/1.1\r\n{head}{end}\r\n{body}{next}");
            let kept = text.strip_suffix(next).unwrap();
            let after = if is_known { next.replace('<', "%3C") } else { next.to_owned() };
            assert_eq!(escaped(text.as_bytes()), format!("{kept}{after}"), "{head}");
        }
        for text in ["CONNECT a:1 HTTP/1.1\r\n\r\n", "GET /\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
            assert_eq!(escaped(format!("{text}{next}").as_bytes()), format!("{text}{next}"));
        }
    }
}
