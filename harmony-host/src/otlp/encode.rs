//! The encoding of recordings as the body of a request to a collector. Names follow the semantic conventions of OpenTelemetry
//! for HTTP; `url.path`, `url.full` and `user_agent.original` are left out, since they are text of the client.

use std::time::{Duration, UNIX_EPOCH};

use http::Version;
use http::uri::Authority;
use prost::Message as _;

use crate::diagnostics::redaction::redact;
use crate::otlp::messages::{
    AnyValue, ExportTraceServiceRequest, InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans,
    Span, SpanKind, Status, StatusCode, Value,
};
use crate::otlp::recording::{Attempt, Outcome, Recording};

/// The flags of a span whose trace is sampled, and that says if its parent is remote.
const FLAGS: u32 = 0x101;

/// The flag of a span whose parent is of another process.
const IS_REMOTE: u32 = 0x200;

/// The value of `error.type` of a request whose client left before the response.
const CLIENT_LEFT: &str = "client_left";

/// The value of `error.type` of a request whose response did not reach its end.
const INCOMPLETE: &str = "incomplete_response";

/// Encodes recordings of the gateway `instance`.
pub(super) fn encode(recordings: &[Box<Recording>], instance: Option<&str>) -> Vec<u8> {
    let mut attributes = Attributes::default();
    attributes.text("service.name", "harmony");
    attributes.text("service.version", env!("CARGO_PKG_VERSION"));
    if let Some(instance) = instance {
        attributes.text("service.instance.id", instance);
    }
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut spans = Vec::new();
    for recording in recordings {
        spans.push(server_span(recording));
        let attempts = recording.attempts.iter().enumerate();
        spans.extend(attempts.map(|(number, attempt)| client_span(recording, attempt, number)));
    }
    let resource = Some(Resource { attributes: attributes.0 });
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    let request = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] };
    request.encode_to_vec()
}

fn server_span(recording: &Recording) -> Span {
    let mut attributes = Attributes::default();
    attributes.text("http.request.method", recording.method);
    if recording.status != 0 {
        attributes.number("http.response.status_code", recording.status.into());
    }
    attributes.text("network.protocol.name", "http");
    attributes.text("network.protocol.version", version(recording.version));
    let peer = recording.peer.ip().to_canonical();
    attributes.text("client.address", &recording.client.unwrap_or(peer).to_string());
    attributes.text("network.peer.address", &peer.to_string());
    attributes.number("network.peer.port", recording.peer.port().into());
    if let Some(scheme) = recording.scheme {
        attributes.text("url.scheme", scheme);
        recording.authority.iter().for_each(|authority| attributes.server(authority, scheme));
    }
    attributes.text("harmony.request_id", recording.request_id.to_str().unwrap_or_default());
    let names = [
        ("harmony.network", recording.network.as_deref()),
        ("harmony.pipeline", recording.pipeline.as_deref()),
        ("harmony.endpoint", recording.endpoint.as_deref()),
        ("harmony.reason", recording.reason),
    ];
    for (key, value) in names {
        value.into_iter().for_each(|value| attributes.text(key, value));
    }
    if recording.generation != 0 {
        attributes.number("harmony.generation", recording.generation.try_into().unwrap_or(i64::MAX));
    }
    let error = server_error(recording);
    error.iter().for_each(|error| attributes.text("error.type", error));
    let verb = verb(recording.method);
    let name = match &recording.pipeline {
        Some(pipeline) => format!("{verb} {}", redact(pipeline)),
        None => verb.to_owned(),
    };
    let remote = if recording.parent_id.is_some() { IS_REMOTE } else { 0 };
    Span {
        trace_id: recording.trace_id.to_be_bytes().to_vec(),
        span_id: recording.span_id.to_be_bytes().to_vec(),
        parent_span_id: recording.parent_id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        name,
        kind: SpanKind::Server.into(),
        start_time_unix_nano: nanos(recording, Duration::ZERO),
        end_time_unix_nano: nanos(recording, recording.duration),
        attributes: attributes.0,
        status: status(error.is_some()),
        flags: FLAGS | remote,
    }
}

fn client_span(recording: &Recording, attempt: &Attempt, number: usize) -> Span {
    let mut attributes = Attributes::default();
    attributes.text("http.request.method", recording.method);
    if let Some((scheme, authority)) = attempt.origin.split_once("://") {
        attributes.text("url.scheme", scheme);
        authority.parse().iter().for_each(|authority| attributes.server(authority, scheme));
    }
    if number > 0 {
        attributes.number("http.request.resend_count", number.try_into().unwrap_or(i64::MAX));
    }
    recording.pipeline.iter().for_each(|pipeline| attributes.text("harmony.pipeline", pipeline));
    let error = match attempt.outcome {
        Outcome::Answered(status) => {
            attributes.number("http.response.status_code", status.into());
            (status >= 400).then(|| status.to_string())
        }
        Outcome::Failed(fault) => Some(fault.to_owned()),
    };
    error.iter().for_each(|error| attributes.text("error.type", error));
    Span {
        trace_id: recording.trace_id.to_be_bytes().to_vec(),
        span_id: attempt.span_id.to_be_bytes().to_vec(),
        parent_span_id: recording.span_id.to_be_bytes().to_vec(),
        name: verb(recording.method).to_owned(),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: nanos(recording, attempt.start),
        end_time_unix_nano: nanos(recording, attempt.end.unwrap_or(recording.duration)),
        attributes: attributes.0,
        status: status(error.is_some()),
        flags: FLAGS,
    }
}

/// Returns the error of a request: the gateway or its backend failed, or the response was cut off. A 4xx is no error of a server.
fn server_error(recording: &Recording) -> Option<String> {
    let status = recording.status;
    match recording.reason {
        _ if status == 0 => Some(CLIENT_LEFT.to_owned()),
        Some(reason) if status >= 500 => Some(reason.to_owned()),
        None if status >= 500 => Some(status.to_string()),
        _ if !recording.is_complete => Some(INCOMPLETE.to_owned()),
        _ => None,
    }
}

fn status(is_error: bool) -> Option<Status> {
    is_error.then(|| Status { code: StatusCode::Error.into() })
}

/// Returns the method in the name of a span.
fn verb(method: &'static str) -> &'static str {
    if method.starts_with('_') { "HTTP" } else { method }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// Returns a time of a request. All of them add a monotonic clock to its start, so that a change of the system's clock orders no
/// span before its parent.
fn nanos(recording: &Recording, since_start: Duration) -> u64 {
    let start = recording.start.duration_since(UNIX_EPOCH).unwrap_or_default();
    start.saturating_add(since_start).as_nanos().try_into().unwrap_or(u64::MAX)
}

/// The attributes of a span or a resource.
#[derive(Default)]
struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn text(&mut self, key: &str, value: &str) {
        self.add(key, Value::Text(redact(value).into_owned()));
    }

    fn number(&mut self, key: &str, value: i64) {
        self.add(key, Value::Number(value));
    }

    fn server(&mut self, authority: &Authority, scheme: &str) {
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        self.text("server.address", bare.unwrap_or(host));
        let port = authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        self.number("server.port", port.into());
    }

    fn add(&mut self, key: &str, value: Value) {
        self.0.push(KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) });
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::trace::Identity;

    fn recording(request: Request<()>) -> Recording {
        let identity = Identity::of(request.headers());
        Recording::begin("[::ffff:192.0.2.7]:80".parse().unwrap(), &request, &identity)
    }

    fn spans(recording: Recording) -> Vec<Span> {
        let body = encode(&[Box::new(recording)], Some("edge"));
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        request.resource_spans.into_iter().flat_map(|one| one.scope_spans).flat_map(|one| one.spans).collect()
    }

    fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
        let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
        match found.value.as_ref()?.value.as_ref()? {
            Value::Text(text) => Some(text),
            Value::Number(_) => None,
        }
    }

    #[test]
    fn a_method_of_the_client_is_not_repeated() {
        let mut recording = recording(Request::builder().method("CANARY").body(()).unwrap());
        recording.end(405, Some("method_not_allowed"), true);
        let spans = spans(recording);
        assert_eq!(spans[0].name, "HTTP");
        assert_eq!(text(&spans[0], "http.request.method"), Some("_OTHER"));
        assert_eq!(text(&spans[0], "client.address"), Some("192.0.2.7"));
        assert_eq!(spans[0].status, None, "a 4xx is no error of the server");
    }

    #[test]
    fn each_attempt_has_a_span() {
        let mut recording = recording(Request::new(()));
        for (at, id) in [11, 12, 13].into_iter().enumerate() {
            recording.attempt(id, "https://[2001:db8::1]");
            match at {
                0 => recording.end_attempt(Outcome::Failed("unreachable")),
                1 => recording.end_attempt(Outcome::Answered(404)),
                _ => {}
            }
        }
        recording.end(0, None, false);
        let (parent, spans) = (recording.span_id.to_be_bytes(), spans(recording));
        assert_eq!(text(&spans[0], "error.type"), Some("client_left"));
        for (span, (id, error)) in
            spans[1..].iter().zip([(11u64, "unreachable"), (12, "404"), (13, "cancelled")])
        {
            assert_eq!((&*span.span_id, &*span.parent_span_id), (&id.to_be_bytes()[..], &parent[..]));
            assert_eq!(text(span, "server.address"), Some("2001:db8::1"));
            assert_eq!(text(span, "error.type"), Some(error));
            assert_eq!(span.status, Some(Status { code: StatusCode::Error.into() }));
            assert!(span.start_time_unix_nano >= spans[0].start_time_unix_nano);
            assert!(span.end_time_unix_nano <= spans[0].end_time_unix_nano);
        }
    }

    #[test]
    fn a_host_that_no_name_has_is_left_out() {
        let mut recording = recording(Request::new(()));
        recording.scheme = Some("http");
        recording.ask_for(&"a".repeat(300));
        assert_eq!(text(&spans(recording)[0], "server.address"), None);
    }
}
