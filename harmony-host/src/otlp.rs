//! The export of spans over OTLP (HTTP with protobuf), with the feature `otlp`: one span for each request, and one below it for
//! each attempt at a backend.
//!
//! Spans have no text of a request that may hold a secret or a name of a patient: no path, query, header or body. The ids are
//! those of the request's trace context: a backend gets the id of the span of its attempt.

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
mod encode;
#[cfg(feature = "otlp")]
mod endpoint;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod headers;
#[cfg(feature = "otlp")]
mod messages;
#[cfg(feature = "otlp")]
mod queue;
#[cfg(feature = "otlp")]
mod recording;
#[cfg(feature = "otlp")]
mod report;
#[cfg(feature = "otlp")]
mod sample;
#[cfg(feature = "otlp")]
mod spans;
#[cfg(feature = "otlp")]
mod worker;

#[cfg(not(feature = "otlp"))]
pub(crate) use absent::{Exporter, Spans};
#[cfg(feature = "otlp")]
pub(crate) use endpoint::Endpoint;
#[cfg(feature = "otlp")]
pub(crate) use exporter::{Exporter, Exporting};
#[cfg(feature = "otlp")]
pub(crate) use headers::Headers;
#[cfg(feature = "otlp")]
pub(crate) use sample::Sample;
#[cfg(feature = "otlp")]
pub(crate) use spans::Spans;
