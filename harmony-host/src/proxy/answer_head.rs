//! A watch over the heads of responses: which invalid lines hyper may leave out.
//!
//! A proxy may repair a response (RFC 9112, section 5): hyper joins folded lines, removes spaces before a colon and leaves
//! out lines that are no headers. An invalid line about the framing must not be left out, since the server has framed the
//! body by it: the connection ends instead.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The letters and digits that are kept of an invalid line, enough for the names of the framing headers.
const KEPT: usize = 256;

/// The length of a status line up to the code.
const STATUS_BYTES: usize = b"HTTP/1.1 200".len();

/// The names of the framing headers, by their letters, and the length of the shorter one.
const FRAMING: [&[u8]; 2] = [b"contentlength", b"transferencoding"];
const SHORTEST: usize = FRAMING[0].len();

/// The error of a connection whose response has an invalid line about its framing.
#[derive(Debug)]
pub(super) struct InvalidFraming;

impl InvalidFraming {
    /// Returns whether this is the cause of `error`.
    pub(super) fn caused(error: &(dyn StdError + 'static)) -> bool {
        let is_this = |error: &(dyn StdError + 'static)| {
            let io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            error.is::<Self>() || io.is_some_and(|inner| inner.is::<Self>())
        };
        std::iter::successors(Some(error), |error| (*error).source()).any(is_this)
    }
}

impl fmt::Display for InvalidFraming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response has an invalid Content-Length or Transfer-Encoding line")
    }
}

impl StdError for InvalidFraming {}

/// A connection of HTTP/1 to a backend whose responses are watched.
#[derive(Debug)]
pub(super) struct Watched<T> {
    io: T,
    head: Head,
}

impl<T> Watched<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, head: Head::default() }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.head.read(read).map_err(io::Error::other))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        expect_head(&mut this.head, bytes);
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        expect_head(&mut this.head, slices.iter().find(|part| !part.is_empty()).map_or(&[], |part| part));
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
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

/// Notes that what is read next is a head, if `written` begins with that of a request: hyper sends one only when the response
/// before it is complete. Other parts of a request may follow the head of an early response.
fn expect_head(head: &mut Head, written: &[u8]) {
    let method = written.iter().take_while(|byte| is_token(**byte)).count();
    let is_request = method > 0 && written.get(method..).is_some_and(|rest| rest.starts_with(b" /"));
    if is_request && !head.is_last {
        *head = Head { is_open: true, ..Head::default() };
    }
}

/// The characters of tokens (RFC 9110, section 5.6.2).
const TOKEN: [bool; 256] = {
    let (mut token, mut byte) = ([false; 256], 0);
    while byte < 128 {
        token[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let (others, mut at) = (b"!#$%&'*+-.^_`|~", 0);
    while at < others.len() {
        token[others[at] as usize] = true;
        at += 1;
    }
    token
};

fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Returns the name of a header whose line cannot be an invalid one about the framing, nor a folded one. `line` has no line
/// end.
fn harmless_name(line: &[u8]) -> Option<&[u8]> {
    let is_colon = |byte: &u8| *byte == b':';
    // A name of fewer letters than those of the framing headers has none of them, valid or not.
    if let Some(colon) = line.iter().take(SHORTEST).position(is_colon)
        && !matches!(line.first(), Some(b' ' | b'\t'))
    {
        return line.get(..colon);
    }
    let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
    let is_text = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
    (name.iter().all(|byte| is_token(*byte)) && value.iter().all(is_text)).then_some(name)
}

/// Returns whether the letters and digits of a name are those of a framing header.
fn is_framing(name: &[u8]) -> bool {
    let letters = || name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    FRAMING.iter().any(|framing| name.len() >= framing.len() && letters().eq(framing.iter().copied()))
}

/// The state of a head while it is read.
#[derive(Debug, Default)]
struct Head {
    is_open: bool,
    /// Set after the status line.
    has_status: bool,
    /// Set after a response 101: what follows is another protocol.
    is_last: bool,
    /// Set in the head of an informational response; another head follows it.
    is_informational: bool,
    line: Line,
    /// Set while the header that the last line belongs to is about the framing.
    is_framing: bool,
}

/// The line that is being read.
#[derive(Debug, Default)]
struct Line {
    length: usize,
    /// The first bytes of a status line.
    start: [u8; STATUS_BYTES],
    is_folded: bool,
    has_colon: bool,
    /// Set after a space in the name, which hyper removes only before the colon.
    has_space: bool,
    is_invalid: bool,
    /// The letters and digits of the name, in lower case.
    name: Vec<u8>,
}

impl Head {
    /// Reads bytes of a connection up to the end of the head.
    ///
    /// # Errors
    /// [`InvalidFraming`] if hyper would leave out a line about the framing.
    fn read(&mut self, bytes: &[u8]) -> Result<(), InvalidFraming> {
        let mut rest = bytes;
        while self.is_open && !rest.is_empty() {
            let end = memchr(b'\n', rest);
            let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after.get(1..).unwrap_or_default();
            let is_whole = end.is_some() && self.line.length == 0 && self.has_status;
            if is_whole && let Some(name) = harmless_name(line.strip_suffix(b"\r").unwrap_or(line)) {
                self.is_framing = is_framing(name);
                continue;
            }
            let bytes = line.iter().filter(|byte| **byte != b'\r');
            match self.has_status {
                true => bytes.for_each(|byte| self.line.push(*byte)),
                // The rest of a status line is of no interest.
                false => bytes.take(STATUS_BYTES).for_each(|byte| self.line.push_status(*byte)),
            }
            if end.is_some() {
                self.end_line()?;
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), InvalidFraming> {
        let line = std::mem::take(&mut self.line);
        match (line.length, self.has_status) {
            // hyper skips empty lines before a response.
            (0, false) => {}
            (0, true) if self.is_informational => *self = Self { is_open: true, ..Self::default() },
            (0, true) => self.is_open = false,
            (_, false) => {
                self.has_status = true;
                self.is_last = line.start.ends_with(b" 101");
                self.is_informational = line.start.get(8..10) == Some(b" 1") && !self.is_last;
            }
            (_, true) => {
                let has_framing =
                    FRAMING.iter().any(|name| line.name.windows(name.len()).any(|part| part == *name));
                if line.is_folded {
                    // What a folded line means has depended on the server.
                    return if self.is_framing || has_framing { Err(InvalidFraming) } else { Ok(()) };
                }
                if has_framing && (line.is_invalid || !line.has_colon) {
                    return Err(InvalidFraming);
                }
                self.is_framing = is_framing(&line.name);
            }
        }
        Ok(())
    }
}

impl Line {
    /// Takes a byte of a status line.
    fn push_status(&mut self, byte: u8) {
        if let Some(at) = self.start.get_mut(self.length) {
            *at = byte;
        }
        self.length += 1;
    }

    /// Takes a byte of a header.
    fn push(&mut self, byte: u8) {
        let is_space = matches!(byte, b' ' | b'\t');
        self.is_folded |= self.length == 0 && is_space;
        self.length += 1;
        if self.has_colon {
            self.is_invalid |= byte.is_ascii_control() && byte != b'\t';
        } else if byte == b':' {
            self.has_colon = true;
        } else {
            self.is_invalid |= !is_space && (self.has_space || !is_token(byte));
            self.has_space |= is_space;
            if byte.is_ascii_alphanumeric() && self.name.len() < KEPT {
                self.name.push(byte.to_ascii_lowercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a head in pieces of every size, and returns whether it is accepted and ends where it should.
    fn accepts(lines: &str) -> bool {
        let text = format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n{lines}\r\n\r\nTransfer-Encoding\x01: chunked\r\n"
        );
        let results = [1, 2, 7, 1000].map(|size| {
            let mut head = Head { is_open: true, ..Head::default() };
            let result = text.as_bytes().chunks(size).try_for_each(|part| head.read(part));
            assert!(result.is_err() || !head.is_open);
            result.is_ok()
        });
        assert!(results.iter().all(|result| *result == results[0]), "{lines:?}");
        results[0]
    }

    #[test]
    fn heads_follow_requests() {
        let opens = |written: &[u8]| {
            let mut head = Head::default();
            expect_head(&mut head, written);
            head.is_open
        };
        assert!(opens(b"GET / HTTP/1.1\r\n") && opens(b"PROPFIND /x HTTP/1.1\r\n"));
        for part in [&b"5\r\nhello\r\n"[..], b"", b"\0\0", b"text and / more", b" / HTTP/1.1"] {
            assert!(!opens(part), "{part:?}");
        }
    }

    #[test]
    fn invalid_lines_about_framing_are_found() {
        for lines in [
            "Content-Length: 2",
            "Content-Length : 2",
            "X-Content-Length: 2\r\nX: \x01",
            "X-Bad\x01: 1\r\nno colon\r\n: empty\r\nN\u{e4}me: 1",
            "X-Long: a\r\n b\r\n\tc",
            "Transfer-Encoding: chunked",
            "Via: Content-Length\x01",
        ] {
            assert!(accepts(lines), "{lines:?}");
        }
        for lines in [
            "Content-Length\x01: 2",
            "Content Length: 2",
            "\x0bTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\x01",
            "Transfer-Encoding",
            "X: 1\r\n Transfer-Encoding: chunked",
            " Content-Length: 2",
            "Transfer-Encoding:\r\n chunked",
            "Content-Length: 1\r\n 0",
            "(Content-Length): 2",
            "X: \x01\r\n content-length: 2",
        ] {
            assert!(!accepts(lines), "{lines:?}");
        }
    }
}
