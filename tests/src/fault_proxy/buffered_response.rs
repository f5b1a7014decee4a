//! Responses of the upstream: streamed through, or buffered and changed.

use std::io::{Error, ErrorKind};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::buffered_request::HOP_BY_HOP;
use crate::control_plane::server::Body;

/// The limit of a buffered body, in bytes. Larger than any response that the tests change.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A response with its whole body.
#[derive(Clone, Debug)]
pub(super) struct BufferedResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Forwards a response as a stream, without buffering it.
pub(super) fn streamed(response: reqwest::Response) -> http::Response<Body> {
    let (status, headers) = (response.status(), end_to_end_headers(&response));
    let body = StreamBody::new(response.bytes_stream().map_ok(Frame::data).map_err(Error::other));
    respond(status, headers, body.boxed_unsync())
}

impl BufferedResponse {
    pub(super) async fn read(mut response: reqwest::Response) -> Result<Self, Error> {
        let (status, mut headers) = (response.status(), end_to_end_headers(&response));
        headers.remove(CONTENT_LENGTH);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(Error::other)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Ok(Self { status, headers, body: body.freeze() })
    }

    /// The whole response, unchanged.
    pub(super) fn into_response(self) -> http::Response<Body> {
        let body = Full::new(self.body).map_err(|never| match never {});
        respond(self.status, self.headers, body.boxed_unsync())
    }

    /// Half of the body, with a matching `Content-Length`.
    pub(super) fn truncated(mut self) -> http::Response<Body> {
        self.body.truncate(self.body.len() / 2);
        self.into_response()
    }

    /// The original `Content-Length` and half of the body; then the connection is cut.
    pub(super) fn cut_in_body(mut self) -> http::Response<Body> {
        self.headers.insert(CONTENT_LENGTH, self.body.len().into());
        let first = self.body.slice(..self.body.len() / 2);
        let first = stream::once(async { Ok(Frame::data(first)) });
        let cut = stream::once(async {
            // hyper flushes the first half when the body is pending.
            tokio::task::yield_now().await;
            Err(Error::from(ErrorKind::ConnectionReset))
        });
        respond(self.status, self.headers, StreamBody::new(first.chain(cut)).boxed_unsync())
    }

    pub(super) fn reversed(self) -> Self {
        self.with_list(|list| list.reverse())
    }

    pub(super) fn shuffled(self, seed: u64) -> Self {
        self.with_list(|list| Rng::with_seed(seed).shuffle(list))
    }

    pub(super) fn duplicated(self) -> Self {
        self.with_list(|list| *list = list.drain(..).flat_map(|entry| [entry.clone(), entry]).collect())
    }

    /// Edits the list in `data`. A response without a list stays unchanged.
    fn with_list(mut self, edit: impl FnOnce(&mut Vec<Value>)) -> Self {
        if let Ok(mut body) = serde_json::from_slice::<Value>(&self.body)
            && let Some(Value::Array(list)) = body.get_mut("data")
        {
            edit(list);
            self.body = body.to_string().into();
        }
        self
    }
}

fn end_to_end_headers(response: &reqwest::Response) -> HeaderMap {
    let mut headers = response.headers().clone();
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
