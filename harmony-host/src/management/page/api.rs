//! The calls of the management API that the page shows, as every client gets them.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

use crate::management::service::Management;

/// The management API, asked by the page itself.
///
/// The page shows what a call answers, without a second way to the same facts. A call that this gateway does not have, or that
/// fails, has no answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Api<'a> {
    management: &'a Management,
    base: &'a str,
}

/// The future of an answer. Its type is written out, because the page and the API call each other.
type Answer<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

impl<'a> Api<'a> {
    pub(super) fn new(management: &'a Management, base: &'a str) -> Self {
        Self { management, base }
    }

    /// Returns the body of the answer to `GET operation`; `None` for every status but 200.
    pub(super) fn text(self, operation: &str) -> Answer<'a> {
        let mut request = Request::new(Full::<Bytes>::default());
        let uri = format!("/{}/{operation}", self.base).parse();
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        Box::pin(async move {
            *request.uri_mut() = uri.ok()?;
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let response = self.management.handle(here, request).await;
            if response.status() != http::StatusCode::OK {
                return None;
            }
            let body = response.into_body().collect().await.ok()?.to_bytes();
            String::from_utf8(body.into()).ok()
        })
    }

    /// Returns the answer to `GET operation` as JSON.
    pub(super) async fn json(self, operation: &str) -> Option<Value> {
        serde_json::from_str(&self.text(operation).await?).ok()
    }
}
