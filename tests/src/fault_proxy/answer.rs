use std::io::{Error, ErrorKind};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::parcel::OF_THE_CONNECTION;
use crate::control_plane::server::Body;

/// More than any answer that is changed on its way.
const LARGEST: usize = 16 * 1024 * 1024;

/// An answer that is here whole.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// An answer as it comes in.
pub(super) fn as_it_comes(answer: reqwest::Response) -> http::Response<Body> {
    let (status, headers) = (answer.status(), own_headers(&answer));
    let body = StreamBody::new(answer.bytes_stream().map_ok(Frame::data).map_err(Error::other));
    respond(status, headers, body.boxed_unsync())
}

impl Answer {
    pub(super) async fn read(mut answer: reqwest::Response) -> Result<Self, Error> {
        let (status, mut headers) = (answer.status(), own_headers(&answer));
        headers.remove(CONTENT_LENGTH);
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(Error::other)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Ok(Self { status, headers, body: body.freeze() })
    }

    pub(super) fn whole(self) -> http::Response<Body> {
        let body = Full::new(self.body).map_err(|never| match never {});
        respond(self.status, self.headers, body.boxed_unsync())
    }

    /// Half of the body, as if there had never been more.
    pub(super) fn truncated(mut self) -> http::Response<Body> {
        self.body.truncate(self.body.len() / 2);
        self.whole()
    }

    /// Half of the body, then a cut.
    pub(super) fn halved(mut self) -> http::Response<Body> {
        self.headers.insert(CONTENT_LENGTH, self.body.len().into());
        let first = self.body.slice(..self.body.len() / 2);
        let first = stream::once(async { Ok(Frame::data(first)) });
        let cut = stream::once(async {
            // The connection sends what it has when there is nothing more for the moment.
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

    pub(super) fn repeated(self) -> Self {
        self.with_list(|list| *list = list.drain(..).flat_map(|entry| [entry.clone(), entry]).collect())
    }

    /// Edits the list that it is; an answer that is none stays as it is.
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

fn own_headers(answer: &reqwest::Response) -> HeaderMap {
    let mut headers = answer.headers().clone();
    for name in &OF_THE_CONNECTION {
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
