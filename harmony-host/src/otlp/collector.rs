//! The client of a collector.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message as _;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::otlp::endpoint::Endpoint;
use crate::otlp::headers::Headers;
use crate::otlp::messages::ExportTraceServiceResponse;

/// The deadline for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// The deadline for a batch, the answer included.
const ANSWER: Duration = Duration::from_secs(10);

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// The client of a collector.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    endpoint: Endpoint,
    headers: HeaderMap,
}

/// The failure of a request to the collector. The reason repeats no header.
#[derive(Debug)]
pub(super) enum Failure {
    /// May succeed later, and after this time if the collector names one.
    Passing(String, Option<Duration>),
    /// Fails again with the same spans.
    Lasting(String),
}

impl Collector {
    /// Creates a client. It connects with the first batch.
    ///
    /// # Errors
    /// The root certificates of this machine cannot be read.
    pub(super) fn new(endpoint: Endpoint, headers: &Headers) -> reqwest::Result<Self> {
        let mut builder = Client::builder()
            // A redirect may lead to another server, and the headers would be sent there.
            .redirect(Policy::none())
            // A connection that is dead without a word then ends with the request on it.
            .http1_only()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("harmony-host/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_loopback() {
            // A proxy on another machine cannot reach the loopback of this one.
            builder = builder.no_proxy();
        }
        let mut headers = headers.to_map();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Ok(Self { client: builder.build()?, endpoint, headers })
    }

    /// Returns the endpoint.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a batch. Returns the number of its spans that the collector has rejected.
    ///
    /// # Errors
    /// The collector has not taken the batch.
    pub(super) async fn send(&self, body: Bytes) -> Result<u64, Failure> {
        let request = self.client.post(self.endpoint.url().clone()).headers(self.headers.clone());
        let response = request.body(body).send().await;
        let response = response.map_err(|error| Failure::Passing(cause(&error), None))?;
        let status = response.status();
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Failure::Passing(answered(status), wanted(&response))),
            status if status.is_success() => Ok(rejected(response).await),
            status => Err(Failure::Lasting(answered(status))),
        }
    }
}

fn answered(status: StatusCode) -> String {
    format!("the collector answered {}", status.as_u16())
}

/// Returns the cause of a failed request, without the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the collector did not answer in time".to_owned();
    }
    let mut root = error.source();
    while let Some(next) = root.and_then(|error| error.source()) {
        root = Some(next);
    }
    root.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

/// Returns the seconds of Retry-After.
fn wanted(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Returns the number of rejected spans in an answer. One that cannot be read says nothing of them.
async fn rejected(mut response: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        if body.len() + part.len() > MAX_ANSWER {
            return 0;
        }
        body.extend_from_slice(&part);
    }
    let answer = ExportTraceServiceResponse::decode(&*body).unwrap_or_default();
    answer.partial_success.and_then(|partial| partial.rejected_spans.try_into().ok()).unwrap_or_default()
}
