//! The reading of a response, compared with hyper's reading of the same bytes, for tests and the fuzzer.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use crate::http::limits::MAX_HEADERS;
use crate::proxy::headers::{append_via, merge_lengths, remove_hop_by_hop};
use crate::proxy::pool::answer_head;
use crate::proxy::pool::decoded::{Decoded, Malformed};
use crate::proxy::pool::known_lines::KnownLines;

/// A response that was read to its end.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) status: StatusCode,
    version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    trailers: HeaderMap,
}

/// Reads a response that comes in pieces, on a connection that ends behind it; also returns whether the connection can be used
/// again.
///
/// # Errors
/// The response is malformed; `None` if it ends early.
pub(super) fn read(text: &[u8], piece: usize, method: &Method) -> Result<(Read, bool), Option<Malformed>> {
    read_known(text, piece, method, &mut KnownLines::default())
}

/// Reads a response on a connection of known lines.
///
/// # Errors
/// The response is malformed; `None` if it ends early.
fn read_known(
    text: &[u8],
    piece: usize,
    method: &Method,
    known: &mut KnownLines,
) -> Result<(Read, bool), Option<Malformed>> {
    let (mut input, mut scanned) = (Bytes::new(), 0);
    let mut pieces = text.chunks(piece);
    let mut more = |input: &mut Bytes| {
        let piece = pieces.next()?;
        *input = [input, piece].concat().into();
        Some(())
    };
    let mut head = loop {
        more(&mut input).ok_or(None)?;
        if let Some(head) = answer_head::read(&mut input, method, &mut scanned, known)? {
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

/// Another response on the same connection.
const OTHER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: a\r\nX-Other: b\r\nContent-Length: 0\r\n\r\n";

/// Reads a response with hyper, and does to its head what is done to that of other connections.
///
/// # Errors
/// hyper refuses the response.
async fn read_with_hyper(text: &[u8], method: &Method) -> Result<Read, hyper::Error> {
    let (mut server, client) = duplex(64 * 1024);
    let mut builder = Builder::new();
    builder
        .max_headers(MAX_HEADERS)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true);
    let (mut sender, connection) = builder.handshake(TokioIo::new(client)).await?;
    let connection = tokio::spawn(connection.with_upgrades());
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method.clone();
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
    append_via(&mut parts.headers, parts.version);
    let trailers = body.trailers().cloned().unwrap_or_default();
    let body = body.to_bytes().to_vec();
    Ok(Read { status: parts.status, version: parts.version, headers: parts.headers, body, trailers })
}

/// Checks that a response is read in the same way in pieces of `piece` bytes and as a whole, also after others on its connection,
/// and that hyper reads one that is passed on in the same way.
///
/// # Errors
/// The difference.
pub(crate) fn check(text: &[u8], piece: usize, method: &Method) -> Result<(), String> {
    let (ours, pieces) = (read(text, usize::MAX, method), read(text, piece, method));
    let mut known = KnownLines::default();
    for before in [text, OTHER, text] {
        let _ = read_known(before, usize::MAX, method, &mut known);
    }
    let later = read_known(text, usize::MAX, method, &mut known);
    if later != ours {
        return Err(format!("after others it is read as {later:?}, and alone as {ours:?}"));
    }
    let ours = match (ours, pieces) {
        (Ok((ours, _)), Ok((pieces, _))) if ours == pieces => ours,
        (Err(_), Err(_)) => return Ok(()),
        (ours, pieces) => return Err(format!("pieces are read differently: {ours:?} {pieces:?}")),
    };
    if ours.status == StatusCode::SWITCHING_PROTOCOLS {
        // Its headers are handled with the tunnel.
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let theirs = runtime.block_on(read_with_hyper(text, method));
    let mut theirs =
        theirs.map_err(|error| format!("hyper refuses it: {error:?}; it was read as {ours:?}"))?;
    if !theirs.headers.contains_key(CONTENT_LENGTH)
        && let Some(length) = ours.headers.get(CONTENT_LENGTH)
    {
        // Connection has listed it. It stays, since it is true.
        theirs.headers.insert(CONTENT_LENGTH, length.clone());
    }
    if theirs == ours { Ok(()) } else { Err(format!("hyper reads {theirs:?}, and it was read as {ours:?}")) }
}
