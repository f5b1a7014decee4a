//! Reading responses.

use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH};
use proptest::prelude::*;

use super::super::compared::{Read, check, read};
use super::super::decoded::Malformed;

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
        "Via: 1.0 fred",
        "Via: 1.0 fred (",
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

    /// Each response that is passed on is read by hyper in the same way, and how its bytes arrive changes nothing.
    #[test]
    fn hyper_reads_the_same(text in response(), method in method(), piece in 1_usize..40) {
        prop_assert_eq!(check(&text, piece, &method), Ok(()));
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
        ("Content-Length: 9223372036854775808\r\n", Malformed::Framing),
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
    assert_eq!(names, ["x-kept", "content-length", "via"]);
    assert_eq!(read.headers[CONTENT_LENGTH], "0");
    assert!(!read.headers.contains_key(CONNECTION));
}

#[test]
fn heads_have_limits() {
    let many = |count: usize| of(&"X: 1\r\n".repeat(count), "");
    assert_eq!(many(500).unwrap().0.headers.get_all("x").iter().count(), 500);
    assert_eq!(many(501).unwrap_err(), Some(Malformed::TooLarge));
    let line = format!("X: {}\r\n", "x".repeat(50_000));
    assert!(of(&line.repeat(8), "").is_ok());
    let endless = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(9));
    assert_eq!(read(endless.as_bytes(), 8192, &Method::GET).unwrap_err(), Some(Malformed::TooLarge));
}
