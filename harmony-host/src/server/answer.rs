//! A response on its way to the client, and the end of the request with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;

use crate::http::body::{Body, BodyError};
use crate::http::connection_info::ConnectionInfo;
use crate::http::spare_headers;
use crate::http::upload::Upload;
use crate::metrics::Record;
use crate::server::counted::Counted;
use crate::server::in_flight::Activity;
use crate::server::service::Service;
use crate::server::streams::{Progress, Waiting};

/// The time for the rest of a request body once the whole response was sent. A backend may answer before it has read all
/// of a body.
const REST_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers a request. The request is in flight until the response was sent.
pub(super) async fn answer<S: Service>(
    service: &S,
    connection: &ConnectionInfo,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let record = Record::begin(service.traffic(), connection.peer, &request);
    let mut counted = Counted::new(activity.begin(), record);
    let version = request.version();
    let to_head = request.method() == Method::HEAD;
    let waits_for_continue = waits_for_continue(request.headers());
    let progress = Progress::current();
    let pace = progress.as_ref().map_or_else(|| activity.pace(), |progress| progress.pace());
    let mut request = request.map(|body| Upload::new(body, Arc::clone(pace)));
    let mut upload = request.body().clone();
    let mut response = service.serve(connection, &mut request, &mut counted.record).await;
    spare_headers::put(std::mem::take(request.headers_mut()));
    drop(request);
    upload.note_response();
    let is_shared = upload.is_shared();
    let is_over = if upload.is_finished() {
        true
    } else if is_shared {
        // A backend still reads the body. An error says that it needs no more of it.
        let is_error = response.status().is_client_error() || response.status().is_server_error();
        !is_error || upload.is_finished_soon().await
    } else if waits_for_continue && upload.is_unread() {
        // Reading would ask the client for the body.
        false
    } else {
        upload.drop_rest().await
    };
    if !is_over && version < Version::HTTP_2 {
        // The client may be sending the body still, so that the next request cannot be found behind it.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if to_head && version == Version::HTTP_2 {
        drop_body(&mut response);
    }
    counted.respond(&mut response, &upload);
    let rest = is_shared.then_some(Rest { upload, is_over });
    let holder = match progress {
        None => Holder::Exchange(counted),
        Some(progress) => Holder::Stream(Arc::new(counted), progress),
    };
    response.map(|body| Answer { body, rest, holder, sent: 0, needs_no_body: to_head })
}

/// Drops the body of a response to HEAD, and keeps its length (RFC 9110, section 9.3.2). The server does it for HTTP/1 only.
fn drop_body(response: &mut Response<Body>) {
    if let Some(length) = response.body().size_hint().exact().filter(|length| *length > 0) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    *response.body_mut() = Body::Empty;
}

/// Returns whether the client sends the body only when the gateway asks for it (RFC 9110, section 10.1.1).
fn waits_for_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// The body of a response. The request is in flight while it, or a part of it, exists.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    rest: Option<Rest>,
    holder: Holder,
    /// The bytes of the body that were given to the connection.
    sent: u64,
    /// Set for the response to a HEAD: its body is not sent.
    needs_no_body: bool,
}

/// The holder of a request in flight.
#[derive(Debug)]
enum Holder {
    /// The response of HTTP/1.
    Exchange(Counted),
    /// The response of HTTP/2 and its parts, which are queued until the client permits them.
    Stream(Arc<Counted>, Arc<Progress>),
}

/// The rest of a request body that a backend still reads when the response begins.
#[derive(Debug)]
struct Rest {
    upload: Upload,
    /// False if the response has announced that the connection closes after it.
    is_over: bool,
}

impl Drop for Rest {
    fn drop(&mut self) {
        if self.upload.is_finished() {
            return;
        }
        let upload = self.upload.clone();
        match Handle::try_current() {
            Ok(runtime) if self.is_over => drop(runtime.spawn(async move {
                tokio::time::sleep(REST_TIMEOUT).await;
                if !upload.is_finished() {
                    upload.abandon();
                }
            })),
            _ => upload.abandon(),
        }
    }
}

/// A part of a response in the queue of HTTP/2.
struct Part {
    bytes: Bytes,
    _counted: Arc<Counted>,
    _waiting: Waiting,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let counted = match &self.holder {
            Holder::Exchange(counted) => counted,
            Holder::Stream(counted, _) => counted,
        };
        let is_complete = self.needs_no_body || self.body.is_end_stream();
        let upload = self.rest.as_ref().map(|rest| &rest.upload);
        if upload.is_some_and(|upload| !upload.is_finished()) {
            counted.activity().stay_awake();
        }
        counted.end(upload, self.sent, is_complete);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.sent += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        let Holder::Stream(counted, progress) = &self.holder else { return Poll::Ready(frame) };
        let queue = |bytes: Bytes| {
            let (counted, waiting) = (Arc::clone(counted), progress.wait(bytes.len()));
            Bytes::from_owner(Part { bytes, _counted: counted, _waiting: waiting })
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(queue))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
