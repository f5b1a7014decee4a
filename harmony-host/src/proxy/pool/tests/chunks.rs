//! The chunked coding, decoded from pieces.

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;

use super::super::chunks::Chunks;
use super::super::decoded::{Decoded, Malformed};

type Body = (Vec<u8>, HeaderMap, Vec<u8>);

/// Decodes a body that comes in pieces; also returns the trailers and what follows. `Ok(None)` if it does not end.
fn decode(text: &[u8], piece: usize) -> Result<Option<Body>, Malformed> {
    let (mut chunks, mut body) = (Chunks::new(), Vec::new());
    let (mut trailers, mut input) = (HeaderMap::new(), Bytes::new());
    let mut unread = text;
    while !unread.is_empty() {
        let (next, after) = unread.split_at(piece.min(unread.len()));
        unread = after;
        input = [&input, next].concat().into();
        loop {
            match chunks.decode(&mut input)? {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::Trailers(found) => trailers = found,
                Decoded::More => break,
                Decoded::End => return Ok(Some((body, trailers, [&input, unread].concat()))),
            }
        }
    }
    Ok(None)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_is_decoded(
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..300), "( ?)(;[a-z]+(=\"[ -~]*\")?)?"), 0..6),
        has_trailer: bool,
        is_upper: bool,
        piece in 1_usize..100,
    ) {
        let (mut text, mut body) = (Vec::new(), Vec::new());
        for (data, extension) in &parts {
            let size = if is_upper { format!("{:X}", data.len()) } else { format!("00{:x}", data.len()) };
            text.extend_from_slice(&[size.as_bytes(), extension.as_bytes(), b"\r\n", data, b"\r\n"].concat());
            body.extend_from_slice(data);
        }
        text.extend_from_slice(if has_trailer { b"0\r\nX: 1\r\nY: 2\r\n\r\n" } else { b"0\r\n\r\n" });
        let (decoded, trailers, rest) = decode(&text, piece).unwrap().unwrap();
        prop_assert_eq!((decoded, trailers.len(), rest.len()), (body, if has_trailer { 2 } else { 0 }, 0));
        // None of it ends before its end.
        for length in 0..text.len() {
            prop_assert!(decode(&text[..length], piece).unwrap().is_none());
        }
    }
}

#[test]
fn invalid_chunks_are_refused() {
    for text in [
        "\r\n",
        "g\r\n",
        " 1\r\n",
        "1\n",
        "1\r\na\n",
        "1\r\nab",
        "1\r\na\r\r",
        "1 1\r\n",
        "1;a\nb\r\n",
        "1;\x00\r\n",
        "0x1\r\n",
        "+1\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\r\nX: 1\n\r\n",
        "0\r\n: 1\r\n\r\n",
        "0\r\nX\r\n\r\n",
        "0\r\n folded: 1\r\n\r\n",
        "0\r\nX: 1\rY: 2\r\n\r\n",
        "0\r\n\n",
        "1\r\n\r\n\r\n\r\n",
    ] {
        assert!(decode(text.as_bytes(), 1000).is_err(), "{text:?}");
        assert!(decode(text.as_bytes(), 1).is_err(), "{text:?}");
    }
}

#[test]
fn chunks_have_limits() {
    let extensions = format!("1;{}\r\na\r\n", "x".repeat(10_000));
    assert!(decode(extensions.as_bytes(), 8192).is_ok());
    assert!(decode(extensions.repeat(2).as_bytes(), 8192).is_err());
    let trailers = |count: usize| format!("0\r\n{}\r\n", "X: 1\r\n".repeat(count));
    assert!(decode(trailers(500).as_bytes(), 8192).unwrap().is_some());
    assert!(decode(trailers(501).as_bytes(), 8192).is_err());
    assert!(decode(format!("0\r\nX: {}", "x".repeat(17_000)).as_bytes(), 8192).is_err());
}
