//! The spans of one request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Request;

use crate::otlp::exporter::Exporter;
use crate::otlp::recording::{Outcome, Recording};
use crate::trace::{self, Identity};

/// The spans of one request; none if it is not sampled, or nothing is exported.
#[derive(Debug)]
pub(crate) struct Spans(Option<(Arc<Exporter>, Box<Recording>)>);

impl Spans {
    /// Begins the span of a request. A trace of a client is recorded if the client has marked it; of those that the gateway
    /// begins, it marks the sample.
    pub(crate) fn begin<B>(
        exporter: Option<&Arc<Exporter>>,
        peer: SocketAddr,
        request: &Request<B>,
        identity: &mut Identity,
    ) -> Self {
        let Some(exporter) = exporter else { return Self(None) };
        if trace::parent(request.headers()).is_none() && !exporter.sample().takes(identity.trace_id()) {
            identity.leave_out();
        }
        let begin = || (Arc::clone(exporter), Box::new(Recording::begin(peer, request, identity)));
        Self(identity.is_sampled().then(begin))
    }

    /// Returns whether the request has spans.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Drops the spans of a request that is no traffic.
    pub(crate) fn discard(&mut self) {
        self.0 = None;
    }

    /// Notes where the request comes from, and the generation of the configuration that serves it.
    pub(crate) fn come_from(
        &mut self,
        client: Option<IpAddr>,
        network: &Arc<str>,
        scheme: &'static str,
        generation: u64,
    ) {
        if let Some(recording) = self.recording() {
            (recording.client, recording.scheme, recording.generation) = (client, Some(scheme), generation);
            recording.network = Some(Arc::clone(network));
        }
    }

    /// Notes the route of the request, and the host that it is for.
    pub(crate) fn route(&mut self, pipeline: &Arc<str>, endpoint: &Arc<str>, authority: &str) {
        if let Some(recording) = self.recording() {
            recording.pipeline = Some(Arc::clone(pipeline));
            recording.endpoint = Some(Arc::clone(endpoint));
            recording.ask_for(authority);
        }
    }

    /// Begins the span of an attempt at a backend, whose request has the id of this span.
    pub(crate) fn attempt(&mut self, origin: &str, identity: &mut Identity) {
        if let Some(recording) = self.recording() {
            recording.attempt(identity.begin_span(), origin);
        }
    }

    /// Ends the span of an attempt with a response.
    pub(crate) fn answered(&mut self, status: u16) {
        if let Some(recording) = self.recording() {
            recording.end_attempt(Outcome::Answered(status));
        }
    }

    /// Ends the span of an attempt that failed.
    pub(crate) fn failed(&mut self, fault: &'static str) {
        if let Some(recording) = self.recording() {
            recording.end_attempt(Outcome::Failed(fault));
        }
    }

    /// Ends all spans, and hands them to the exporter.
    pub(crate) fn finish(&mut self, status: u16, reason: Option<&'static str>, is_complete: bool) {
        if let Some((exporter, mut recording)) = self.0.take() {
            recording.end(status, reason, is_complete);
            exporter.add(recording);
        }
    }

    fn recording(&mut self) -> Option<&mut Recording> {
        self.0.as_mut().map(|(_, recording)| &mut **recording)
    }
}
