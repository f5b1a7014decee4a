//! A collector of OpenTelemetry, which decodes spans with the official messages.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use http::Response;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
pub use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

use crate::{RecordedRequest, Upstream, eventually, full};

/// A collector that takes spans over HTTP.
#[derive(Debug)]
pub struct Collector {
    server: Upstream,
    status: Arc<AtomicU16>,
    taken: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    /// Starts a collector.
    pub async fn start() -> Self {
        let (status, taken) = (Arc::new(AtomicU16::new(200)), Arc::new(Mutex::new(Vec::new())));
        let (answer, batches) = (Arc::clone(&status), Arc::clone(&taken));
        let server = Upstream::with_handler(move |request: RecordedRequest| {
            let (answer, batches) = (answer.load(Ordering::Relaxed), Arc::clone(&batches));
            async move {
                assert_eq!((request.method.as_str(), request.uri.path()), ("POST", "/v1/traces"));
                assert_eq!(request.headers["content-type"], "application/x-protobuf");
                let batch = ExportTraceServiceRequest::decode(&*request.body).expect("spans");
                if answer == 200 {
                    batches.lock().expect("no panic").push(batch);
                }
                Response::builder().status(answer).body(full("")).expect("a response")
            }
        })
        .await;
        Self { server, status, taken }
    }

    /// The base endpoint.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Answers with `status` from now on; only 200 takes spans.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.server.requests()
    }

    /// The spans that were taken so far.
    ///
    /// # Panics
    /// Never.
    pub fn spans(&self) -> Vec<Span> {
        let taken = self.taken.lock().expect("no panic");
        let scopes = taken.iter().flat_map(|batch| &batch.resource_spans).flat_map(|one| &one.scope_spans);
        scopes.flat_map(|scope| scope.spans.iter().cloned()).collect()
    }

    /// The value of an attribute of the resource in the last batch.
    ///
    /// # Panics
    /// Panics if nothing was taken.
    pub fn resource(&self, key: &str) -> Option<String> {
        let taken = self.taken.lock().expect("no panic");
        let resource = taken.last().expect("a batch").resource_spans[0].resource.clone();
        value(&resource.expect("a resource").attributes, key)
    }

    /// Waits for the spans of one trace, of which at least `count` have come.
    ///
    /// # Panics
    /// Panics with all spans if that takes too long.
    pub async fn trace(&self, id: &str, count: usize) -> Vec<Span> {
        eventually(&format!("{count} spans of the trace {id}"), || async {
            let all = self.spans();
            let found: Vec<_> = all.iter().filter(|span| hex(&span.trace_id) == id).cloned().collect();
            if found.len() >= count { Ok(found) } else { Err(all) }
        })
        .await
    }
}

/// Questions about a span.
pub trait Exported {
    /// The value of an attribute, numbers as text.
    fn attribute(&self, key: &str) -> Option<String>;
    /// The id.
    fn id(&self) -> String;
    /// The id of the parent; empty for the first span of a trace.
    fn parent(&self) -> String;
    /// Returns whether the span is that of a request to the gateway.
    fn is_server(&self) -> bool;
    /// Returns whether the span is that of an attempt at a backend.
    fn is_client(&self) -> bool;
    /// Returns whether its status is an error.
    fn is_error(&self) -> bool;
}

impl Exported for Span {
    fn attribute(&self, key: &str) -> Option<String> {
        value(&self.attributes, key)
    }

    fn id(&self) -> String {
        hex(&self.span_id)
    }

    fn parent(&self) -> String {
        hex(&self.parent_span_id)
    }

    fn is_server(&self) -> bool {
        self.kind == SpanKind::Server as i32
    }

    fn is_client(&self) -> bool {
        self.kind == SpanKind::Client as i32
    }

    fn is_error(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32)
    }
}

fn value(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match &found.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
