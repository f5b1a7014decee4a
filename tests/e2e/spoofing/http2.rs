//! The same over HTTP/2.

use bytes::Bytes;
use harmony_tests::Site;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::{last, recorded};

/// Sends a request over HTTP/2, with a body of "abcd" and trailers.
async fn send(
    site: &Site,
    request: http::request::Builder,
    trailers: HeaderMap,
) -> Option<Response<Incoming>> {
    let stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let frames = [Frame::data(Bytes::from_static(b"abcd")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, std::io::Error>)));
    sender.send_request(request.body(body).unwrap()).await.ok()
}

fn post(site: &Site) -> http::request::Builder {
    Request::post(format!("http://localhost:{}/x", site.port))
}

/// hyper compares the first length only with the body.
#[tokio::test]
async fn lengths_arrive_once_or_not_at_all() {
    let (upstream, site) = recorded().await;
    let answer = send(
        &site,
        post(&site).header("content-length", "4").header("content-length", "4"),
        HeaderMap::new(),
    );
    assert_eq!(answer.await.unwrap().status(), 200);
    let arrived = last(&upstream);
    assert_eq!(arrived.matches("content-length").count(), 1, "{arrived}");
    for lengths in [["4", "5"], ["4", "0"], ["4", "x"], ["4", "4, 5"]] {
        let [one, other] = lengths;
        let request = post(&site).header("content-length", one).header("content-length", other);
        let answer = send(&site, request, HeaderMap::new()).await;
        assert!(answer.is_none_or(|answer| answer.status() == 400), "{lengths:?}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn trailers_make_no_claims() {
    let (upstream, site) = recorded().await;
    let names = ["x-forwarded-for", "x_real_ip", "via", "host", "x-digest"];
    let all = names.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("6.6.6.6")));
    let answer =
        send(&site, post(&site).header("trailer", names.join(", ")), all.into_iter().collect()).await;
    assert_eq!(answer.unwrap().into_body().collect().await.unwrap().to_bytes(), "ok");
    let arrived = last(&upstream);
    assert_eq!(arrived.matches("6.6.6.6").count(), 1, "{arrived}");
    assert!(arrived.contains("x-digest: 6.6.6.6"), "{arrived}");
}

/// RFC 9113, section 8.3.1: the Host header of a request must not differ from `:authority`.
#[tokio::test]
async fn a_host_beside_the_authority_is_the_same() {
    let (upstream, site) = recorded().await;
    for host in ["other.example", "localhost:1", "a b", ""] {
        let answer = send(&site, post(&site).header("host", host), HeaderMap::new()).await;
        assert!(answer.is_none_or(|answer| answer.status() == 400), "{host}");
    }
    assert_eq!(upstream.requests(), [""; 0]);
    let same = format!("LOCALHOST:{}", site.port);
    assert_eq!(send(&site, post(&site).header("host", same), HeaderMap::new()).await.unwrap().status(), 200);
}
