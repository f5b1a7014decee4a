//! Writing requests.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::super::chunks::Chunks;
use super::super::decoded::Decoded;
use super::super::output::Output;
use crate::http::connection_info::ForwardedPeer;
use crate::http::pace::Pace;
use crate::http::upload::Upload;
use crate::http::url_prefix::Scheme;
use crate::plan::BaseUrl;
use crate::proxy::headers::{Sender, Trust, prepare_request};
use crate::proxy::outgoing::Outgoing;
use crate::trace::Identity;

fn base() -> BaseUrl {
    BaseUrl::new(&url::Url::parse("http://backend.example:81/").unwrap()).unwrap()
}

fn outgoing<'a>(
    request: &'a Request<Upload>,
    identity: &'a Identity,
    sender: Sender<'a>,
    base: &'a BaseUrl,
) -> Outgoing<'a> {
    let target = Cow::Owned(PathAndQuery::from_static("/x?q=1"));
    Outgoing { request, identity, sender, base, target, authorization: None, protocol: None }
}

fn lines(head: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = head.strip_suffix("\r\n\r\n").unwrap().split("\r\n").collect();
    lines.sort_unstable();
    lines
}

fn field() -> impl Strategy<Value = (&'static str, &'static str)> {
    let name = proptest::sample::select(vec![
        "accept",
        "x-request-id",
        "traceparent",
        "tracestate",
        "authorization",
        "host",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "proxy-authorization",
        "proxy-connection",
        "cookie",
        "cookie",
        "via",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-prefix",
        "x-forwarded-port",
        "x_forwarded_for",
        "x-real-ip",
        "proxy",
        "content_length",
        "x-harmony-probe",
        "forwarded-for",
        "x.real.ip",
    ]);
    let value = proptest::sample::select(vec![
        "",
        "1",
        "close",
        "keep-alive, x-request-id",
        "accept, via",
        "Cookie, host, X-Forwarded-For",
        "for=1",
        "for=\"",
        "/outer",
        "a.example",
        "https",
        "203.0.113.7",
        "1.1 x (",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        "content-length",
    ]);
    (name, value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    /// The head has the same headers as a prepared map.
    #[test]
    fn heads_are_prepared_requests(
        fields in prop::collection::vec(field(), 0..8),
        version in proptest::sample::select(vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2]),
        trust in proptest::sample::select(vec![Trust::Proxy, Trust::Chains, Trust::Nobody]),
        prefix in proptest::sample::select(vec!["", "/own"]),
        has_token: bool,
    ) {
        let mut request = Request::new(Upload::default());
        *request.version_mut() = version;
        for (name, value) in fields {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let peer = ForwardedPeer::new("::ffff:10.0.0.1".parse().unwrap(), Scheme::Http);
        let (authority, base) = (HeaderValue::from_static("a:8080"), base());
        let sender = Sender { peer: &peer, authority: &authority, prefix, trust };
        let identity = Identity::of(request.headers());
        let mut outgoing = outgoing(&request, &identity, sender, &base);
        let token = HeaderValue::from_static("Bearer x");
        outgoing.authorization = has_token.then(|| token.clone());
        let mut head = b"before".to_vec();
        outgoing.write_head(&mut head).unwrap();
        let mut expected = request.headers().clone();
        prepare_request(&mut expected, version, &sender);
        identity.put(&mut expected);
        expected.insert(HOST, base.host.clone());
        if has_token {
            expected.insert(AUTHORIZATION, token);
        }
        let expected: String = expected
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
            .collect();
        let expected = format!("GET /x?q=1 HTTP/1.1\r\n{expected}\r\n");
        let head = String::from_utf8(head).unwrap();
        prop_assert_eq!(lines(head.strip_prefix("before").unwrap()), lines(&expected));
    }
}

/// Returns a request with a body that is sent to the other half.
async fn received(head: &str) -> (DuplexStream, Request<Upload>) {
    let (mut client, server) = duplex(1024 * 1024);
    let (sender, mut requests) = mpsc::channel(1);
    let service = service_fn(move |request: Request<Incoming>| {
        let sender = sender.clone();
        async move {
            let request = request.map(|body| Upload::new(body, Arc::new(Pace::new())));
            sender.send(request).await.unwrap();
            std::future::pending::<()>().await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service));
    client.write_all(head.as_bytes()).await.unwrap();
    (client, requests.recv().await.unwrap())
}

/// A socket that takes few bytes at a time.
struct Narrow {
    taken: Vec<u8>,
    sizes: Vec<usize>,
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let size = self.sizes.pop().unwrap_or(usize::MAX);
        if size == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let bytes = &bytes[..size.min(bytes.len())];
        self.taken.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Forwards a request with a body, and returns the head and the body as they were written.
async fn forwarded(body: &[u8], sizes: Vec<usize>, is_chunked: bool) -> (String, Vec<u8>) {
    let framing = match is_chunked {
        true => "Transfer-Encoding: chunked\r\nTrailer: X-Announced".to_owned(),
        false => format!("Content-Length: {}", body.len()),
    };
    let (mut client, request) = received(&format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n")).await;
    let body = body.to_vec();
    let sending = tokio::spawn(async move {
        for part in body.chunks(3000) {
            let part = match is_chunked {
                true => [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat(),
                false => part.to_vec(),
            };
            client.write_all(&part).await.unwrap();
            tokio::task::yield_now().await;
        }
        if is_chunked {
            client.write_all(b"0\r\nX-Announced: 1\r\nX-Other: 2\r\n\r\n").await.unwrap();
        }
        client
    });
    let peer = ForwardedPeer::new("10.0.0.1".parse().unwrap(), Scheme::Http);
    let (authority, base) = (HeaderValue::from_static("a"), base());
    let sender = Sender { peer: &peer, authority: &authority, prefix: "", trust: Trust::Chains };
    let identity = Identity::of(request.headers());
    let outgoing = outgoing(&request, &identity, sender, &base);
    let (mut output, mut socket) = (Output::default(), Narrow { taken: Vec::new(), sizes });
    std::future::poll_fn(|cx| Poll::Ready(output.begin(&outgoing, cx))).await.unwrap();
    std::future::poll_fn(|cx| output.poll(&mut socket, cx)).await.unwrap();
    assert!(output.is_over() && request.body().is_finished() && !request.body().is_shared());
    drop(sending.await.unwrap());
    let end = socket.taken.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let written = socket.taken.split_off(end);
    (String::from_utf8(socket.taken).unwrap(), written)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A body is written whole, however the socket takes it, and with the framing of the client.
    #[test]
    fn bodies_are_written(
        length in prop_oneof![1_usize..100, 1_usize..20_000],
        sizes in prop::collection::vec(prop_oneof![Just(0), 1_usize..8, 1_usize..5000], 0..30),
        is_chunked: bool,
    ) {
        let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (head, written) = runtime.block_on(forwarded(&body, sizes, is_chunked));
        let announced = head.contains(&format!("\r\ncontent-length: {length}\r\n"));
        prop_assert_eq!((announced, head.contains("\r\ntransfer-encoding: chunked\r\n")), (!is_chunked, is_chunked));
        if !is_chunked {
            prop_assert_eq!(written, body);
            return Ok(());
        }
        let (mut input, mut chunks, mut decoded) = (Bytes::from(written), Chunks::new(), Vec::new());
        let trailers = loop {
            match chunks.decode(&mut input).unwrap() {
                Decoded::Data(data) => decoded.extend_from_slice(&data),
                Decoded::Trailers(trailers) => break trailers,
                other => prop_assert!(false, "{other:?}"),
            }
        };
        prop_assert_eq!(decoded, body);
        let announced = HeaderMap::from_iter([(HeaderName::from_static("x-announced"), HeaderValue::from_static("1"))]);
        prop_assert_eq!((trailers, input.len()), (announced, 0));
    }
}

#[test]
fn a_length_that_the_body_does_not_have_is_not_announced() {
    let peer = ForwardedPeer::new("10.0.0.1".parse().unwrap(), Scheme::Http);
    let (authority, base) = (HeaderValue::from_static("a"), base());
    let sender = Sender { peer: &peer, authority: &authority, prefix: "", trust: Trust::Chains };
    for (length, is_valid) in [("0", true), ("5", false)] {
        let mut request = Request::new(Upload::default());
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static(length));
        let identity = Identity::of(request.headers());
        assert_eq!(
            outgoing(&request, &identity, sender, &base).write_head(&mut Vec::new()).is_ok(),
            is_valid
        );
    }
}
