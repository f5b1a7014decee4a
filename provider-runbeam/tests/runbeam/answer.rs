//! The responses of the stand-in, faulty and hostile ones included.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame};
use serde_json::Value;
use tokio::time::{Sleep, sleep};

/// A response, or none.
pub(crate) enum Answer {
    Response(Box<Response<Content>>),
    Silence,
}

/// The body of a response.
pub(crate) enum Content {
    Whole(Option<Bytes>),
    /// Data without an end.
    Endless,
    /// One byte, and then nothing.
    Stalled(Option<Bytes>),
    /// One byte every 3 seconds, without an end.
    Trickle(Pin<Box<Sleep>>),
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self::status(200, value)
    }

    pub(crate) fn status(status: u16, value: &Value) -> Self {
        Self::of(status, Content::Whole(Some(value.to_string().into())))
    }

    pub(crate) fn endless(status: u16) -> Self {
        Self::of(status, Content::Endless)
    }

    pub(crate) fn stalled() -> Self {
        Self::of(200, Content::Stalled(Some(Bytes::from_static(b"{"))))
    }

    pub(crate) fn trickle() -> Self {
        Self::of(200, Content::Trickle(Box::pin(sleep(Duration::ZERO))))
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::status(status, &Value::Null).with("location", to)
    }

    pub(crate) fn not_modified() -> Self {
        Self::empty(304)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::of(status, Content::Whole(None))
    }

    pub(crate) fn text(text: &str, content_type: &str) -> Self {
        Self::of(200, Content::Whole(Some(text.to_owned().into()))).with("content-type", content_type)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Response(response) = &mut self {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        self
    }

    fn of(status: u16, content: Content) -> Self {
        let response = Response::builder().status(status).header("content-type", "application/json");
        Self::Response(Box::new(response.body(content).unwrap()))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Endless => data(Bytes::from_static(&[b' '; 16 * 1024])),
            Self::Stalled(first) => first.take().map_or(Poll::Pending, data),
            Self::Trickle(next) => match next.as_mut().poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => {
                    *next = Box::pin(sleep(Duration::from_secs(3)));
                    data(Bytes::from_static(b" "))
                }
            },
        }
    }
}
