//! An HTTP/1.1 client that does as little as possible: a prepared request, and a response read by its Content-Length.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::Outcome;

/// The size of the buffer for responses with small bodies, and with others.
const SMALL_BUFFER: usize = 4 * 1024;
const LARGE_BUFFER: usize = 64 * 1024;

/// A keep-alive connection for sequential requests.
#[derive(Debug)]
pub(super) struct Http1<S> {
    stream: S,
    request: Bytes,
    expected: usize,
    buffer: Box<[u8]>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// A client that sends `request` and expects responses with a body of `expected` bytes.
    pub(super) fn new(stream: S, request: Bytes, expected: usize) -> Self {
        let size = if expected < SMALL_BUFFER { SMALL_BUFFER } else { LARGE_BUFFER };
        Self { stream, request, expected, buffer: vec![0; size].into() }
    }

    /// Sends the request and reads the whole response.
    ///
    /// # Errors
    /// Fails if the response is not 200 with a body of the expected length, or if bytes follow it.
    pub(super) async fn exchange(&mut self) -> Outcome<()> {
        let broken = |error| format!("the connection broke: {error}");
        self.stream.write_all(&self.request).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            if let Some(head) = head_length(&self.buffer[..filled]) {
                break head;
            }
            if filled == self.buffer.len() {
                return Err("the head of the response does not end".to_owned());
            }
        };
        check(&self.buffer[..head], self.expected)?;
        let mut body = filled - head;
        while body < self.expected {
            body += self.read(0).await?;
        }
        match body == self.expected {
            true => Ok(()),
            false => Err(format!("the response has {body} bytes, expected {}", self.expected)),
        }
    }

    /// Reads into the buffer from `start` on. Returns the number of bytes, which is not 0.
    async fn read(&mut self, start: usize) -> Outcome<usize> {
        match self.stream.read(&mut self.buffer[start..]).await {
            Ok(0) => Err("the response was cut off".to_owned()),
            Ok(read) => Ok(read),
            Err(error) => Err(format!("the connection broke: {error}")),
        }
    }
}

/// Returns the length of the head with the empty line at its end.
fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// Checks that a head has the status 200 and a Content-Length of `expected`.
fn check(head: &[u8], expected: usize) -> Outcome<()> {
    let text = || String::from_utf8_lossy(head).into_owned();
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("expected 200: {:?}", text()));
    }
    let mut lines = head.split(|byte| *byte == b'\n');
    match lines.find_map(content_length) {
        Some(length) if length == expected => Ok(()),
        Some(length) => Err(format!("{length} bytes, expected {expected}: {:?}", text())),
        None => Err(format!("no Content-Length: {:?}", text())),
    }
}

/// Returns the number in a Content-Length line.
fn content_length(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// Exchanges with a server that responds with `answer` in writes of `size` bytes.
    async fn exchange(answer: &'static str, size: usize) -> Outcome<()> {
        let (near, mut far) = duplex(4096);
        tokio::spawn(async move {
            let mut request = [0; 4];
            far.read_exact(&mut request).await.expect("the request");
            for part in answer.as_bytes().chunks(size) {
                far.write_all(part).await.expect("the client reads");
            }
        });
        Http1::new(near, Bytes::from_static(b"GET!"), 3).exchange().await
    }

    #[tokio::test]
    async fn a_response_may_arrive_in_parts() {
        for size in [1, 7, 1000] {
            let answer = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\nabc";
            assert_eq!(exchange(answer, size).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn wrong_responses_are_errors() {
        for (answer, part) in [
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc", "expected 200"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcd", "4 bytes, expected 3"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                "no Content-Length",
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd", "has 4 bytes, expected 3"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", "cut off"),
        ] {
            let error = exchange(answer, 1000).await.expect_err(answer);
            assert!(error.contains(part), "{error}");
        }
    }
}
