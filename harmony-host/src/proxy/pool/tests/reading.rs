//! What is read of responses, compared with hyper's reading of the same bytes.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::super::answer_head;
use super::super::decoded::{Decoded, Malformed};
use crate::proxy::headers::{merge_lengths, remove_hop_by_hop};

/// A response that was read to its end.
#[derive(Debug, PartialEq)]
struct Read {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
}

/// Reads a response that comes in pieces, on a connection that ends behind it. `Err(None)` if it ends early.
fn read(text: &[u8], piece: usize, method: &Method) -> Result<(Read, bool), Option<Malformed>> {
    let (mut input, mut scanned) = (Bytes::new(), 0);
    let mut pieces = text.chunks(piece);
    let mut more = |input: &mut Bytes| {
        let piece = pieces.next()?;
        *input = [input, piece].concat().into();
        Some(())
    };
    let mut head = loop {
        more(&mut input).ok_or(None)?;
        if let Some(head) = answer_head::read(&mut input, method, &mut scanned)? {
            break head;
        }
    };
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    loop {
        match head.body.decode(&mut input)? {
            Decoded::Data(data) => {
                assert!(!data.is_empty());
                body.extend_from_slice(&data);
            }
            Decoded::Trailers(found) => trailers = found,
            Decoded::End => break,
            Decoded::More if more(&mut input).is_some() => {}
            Decoded::More if head.body.end() => break,
            Decoded::More => return Err(None),
        }
    }
    let (status, version, headers) = (head.status, head.version, head.headers);
    let is_reusable = head.is_kept_alive && input.is_empty();
    Ok((Read { status, version, headers, body, trailers }, is_reusable))
}

/// Reads a response with hyper, and does to its head what is done to that of other connections.
async fn read_with_hyper(text: &[u8], method: &Method) -> Result<Read, hyper::Error> {
    let (mut server, client) = duplex(64 * 1024);
    let mut builder = Builder::new();
    builder
        .max_headers(500)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let (mut sender, connection) = builder.handshake(TokioIo::new(client)).await?;
    let connection = tokio::spawn(connection.with_upgrades());
    let request = Request::builder().method(method).uri("/").body(Empty::<Bytes>::new()).unwrap();
    let answered = async {
        let mut request = [0; 1024];
        let _ = server.read(&mut request).await;
        let _ = server.write_all(text).await;
        drop(server);
    };
    let (response, ()) = tokio::join!(sender.send_request(request), answered);
    let (mut parts, body) = Response::into_parts(response?);
    let body = body.collect().await?;
    connection.abort();
    if parts.headers.contains_key(TRANSFER_ENCODING) || merge_lengths(&mut parts.headers).is_err() {
        parts.headers.remove(CONTENT_LENGTH);
    }
    remove_hop_by_hop(&mut parts.headers);
    let trailers = body.trailers().cloned().unwrap_or_default();
    let body = body.to_bytes().to_vec();
    Ok(Read { status: parts.status, version: parts.version, headers: parts.headers, body, trailers })
}

/// Lines of heads: usual ones, and those by which recipients have been led to different readings.
fn line() -> impl Strategy<Value = String> {
    let usual = [
        "Content-Type: text/html",
        "ETag: \"a,b\"",
        "X: ",
        "Set-Cookie: a=1",
        "X-N\u{e4}me: \u{fc}",
        "Date:now",
    ];
    let framing = [
        "Content-Length: 5",
        "Content-Length: 0",
        "Content-Length: 05, 5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: ",
        "Content-Length : 5",
        "Content-Length\t: 5",
        "Content-Length: 18446744073709551615",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: chunked",
        "transfer-encoding: CHUNKED",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding\x01: chunked",
        "Content-Length: 5\x00",
    ];
    let connection = [
        "Connection: close",
        "Connection: keep-alive, X",
        "Connection: content-length",
        "Connection: Upgrade",
        "Keep-Alive: timeout=5",
        "Upgrade: websocket",
        "Trailer: X",
    ];
    let invalid =
        ["no colon", ": no name", "X-Long: a\r\n b\r\n\tc", " folded: 1", "X: a\rb", "X\x7f: 1", "X: \x01"];
    prop_oneof![
        4 => proptest::sample::select(usual.to_vec()),
        4 => proptest::sample::select(framing.to_vec()),
        2 => proptest::sample::select(connection.to_vec()),
        1 => proptest::sample::select(invalid.to_vec()),
    ]
    .prop_map(str::to_owned)
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        8 => Just("HTTP/1.1 200 OK"),
        2 => Just("HTTP/1.0 200 OK"),
        1 => Just("HTTP/1.1 204 No Content"),
        1 => Just("HTTP/1.1 304 "),
        1 => Just("HTTP/1.1 404"),
        1 => Just("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK"),
        1 => Just("HTTP/1.1 101 Switching Protocols"),
        1 => Just("HTTP/1.1 099 x"),
        1 => Just("\r\nHTTP/1.1  200 OK"),
        1 => Just("HTTP/2.0 200 OK"),
        1 => Just("ICY 200 OK"),
    ];
    let body = proptest::sample::select(vec![
        "",
        "hello",
        "hell",
        "hello, and more",
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\"\r\nhello\r\n0\r\nX: 1\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n bad\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: 1\n\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "00000000000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n",
    ]);
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
    (start, prop::collection::vec(line(), 0..5), end, body).prop_map(|(start, lines, end, body)| {
        let lines: String = lines.iter().map(|line| line.clone() + "\r\n").collect();
        let head = format!("{start}\r\n{lines}\r\n").replace("\r\n", end);
        [head.as_bytes(), body.as_bytes()].concat()
    })
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![4 => Just(Method::GET), 1 => Just(Method::HEAD), 1 => Just(Method::POST)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each response that is passed on is read by hyper in the same way.
    #[test]
    fn hyper_reads_the_same(text in response(), method in method()) {
        let Ok((ours, _)) = read(&text, usize::MAX, &method) else { return Ok(()) };
        if ours.status == StatusCode::SWITCHING_PROTOCOLS {
            // Its headers are handled with the tunnel.
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        match runtime.block_on(read_with_hyper(&text, &method)) {
            Ok(theirs) => {
                let mut theirs = theirs;
                // The framing of this response is not for the connection only.
                if text.windows(26).any(|part| part == b"Connection: content-length") {
                    theirs.headers.remove(CONTENT_LENGTH);
                    prop_assert_eq!(theirs.body, ours.body);
                } else {
                    prop_assert_eq!(theirs, ours);
                }
            }
            Err(error) => prop_assert!(false, "hyper refuses it: {error:?}, and it was read as {ours:?}"),
        }
    }

    /// How the bytes arrive changes nothing.
    #[test]
    fn pieces_are_read_as_the_whole(text in response(), method in method(), piece in 1_usize..40) {
        let (whole, pieces) = (read(&text, usize::MAX, &method), read(&text, piece, &method));
        match (whole, pieces) {
            (Ok((whole, _)), Ok((pieces, _))) => prop_assert_eq!(whole, pieces),
            (Err(_), Err(_)) => {}
            (whole, pieces) => prop_assert!(false, "{whole:?} {pieces:?}"),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..200), piece in 1_usize..40) {
        let _ = read(&text, piece, &Method::GET);
        let _ = read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &text[..]].concat(), piece, &Method::GET);
    }
}

fn of(lines: &str, body: &str) -> Result<(Read, bool), Option<Malformed>> {
    let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n{body}");
    read(text.as_bytes(), usize::MAX, &Method::GET)
}

#[test]
fn framings_that_differ_are_refused() {
    for (lines, malformed) in [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", Malformed::Framing),
        ("Content-Length: 5, 6\r\n", Malformed::Framing),
        ("Content-Length: -5\r\n", Malformed::Framing),
        ("Content-Length: 18446744073709551616\r\n", Malformed::Framing),
        ("Content-Length\x01: 5\r\n", Malformed::Framing),
        ("Transfer-Encoding: chunked\x01\r\n", Malformed::Framing),
        ("Transfer-Encoding:\r\n chunked\r\n", Malformed::Framing),
        ("Transfer-Encoding: gzip, chunked\r\n", Malformed::Coding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Malformed::Coding),
        ("Transfer-Encoding: gzip\r\n", Malformed::Coding),
    ] {
        assert_eq!(of(lines, "hello").unwrap_err(), Some(malformed), "{lines:?}");
    }
}

#[test]
fn a_length_beside_chunks_is_left_out() {
    let (read, is_reusable) =
        of("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n").unwrap();
    assert!(is_reusable && !read.headers.contains_key(CONTENT_LENGTH));
    assert_eq!(read.body, b"hello");
}

#[test]
fn a_connection_is_used_again_after_a_whole_response() {
    for (lines, body, expected) in [
        ("Content-Length: 5\r\n", "hello", true),
        ("Content-Length: 5\r\n", "hello\r\n", false),
        ("Content-Length: 5\r\n", "helloHTTP/1.1 200 OK\r\n\r\n", false),
        ("Content-Length: 5\r\nConnection: close\r\n", "hello", false),
        ("Content-Length: 5\r\nConnection: keep-alive\r\nConnection: x, Close\r\n", "hello", false),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", true),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n0\r\n\r\n", false),
    ] {
        assert_eq!(of(lines, body).unwrap().1, expected, "{lines:?} {body:?}");
    }
    for (lines, expected) in [("", false), ("Connection: keep-alive\r\n", true)] {
        let text = format!("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n{lines}\r\n");
        assert_eq!(read(text.as_bytes(), usize::MAX, &Method::GET).unwrap().1, expected, "{lines:?}");
    }
}

#[test]
fn headers_of_the_connection_are_removed() {
    let lines = "Connection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 00\r\n";
    let (read, _) = of(lines, "").unwrap();
    let names: Vec<&str> = read.headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-kept", "content-length"]);
    assert_eq!(read.headers[CONTENT_LENGTH], "0");
    assert!(!read.headers.contains_key(CONNECTION));
}

#[test]
fn heads_have_limits() {
    let many = |count: usize| of(&"X: 1\r\n".repeat(count), "");
    assert_eq!(many(500).unwrap().0.headers.len(), 500);
    assert_eq!(many(501).unwrap_err(), Some(Malformed::TooLarge));
    let line = format!("X: {}\r\n", "x".repeat(50_000));
    assert!(of(&line.repeat(8), "").is_ok());
    let endless = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(9));
    assert_eq!(read(endless.as_bytes(), 8192, &Method::GET).unwrap_err(), Some(Malformed::TooLarge));
}
