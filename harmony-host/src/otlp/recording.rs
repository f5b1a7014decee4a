//! The facts of which the spans of one request are made, noted while it is served.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::uri::Authority;
use http::{HeaderValue, Method, Request, Version};
use tokio::time::Instant;

use crate::trace::{self, Identity};

/// The longest host in a span, in bytes: that of a DNS name. A longer one is left out.
const MAX_HOST: usize = 253;

/// A request and its attempts at backends.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    /// The span of the client.
    pub(super) parent_id: Option<u64>,
    pub(super) start: SystemTime,
    began: Instant,
    pub(super) duration: Duration,
    pub(super) method: &'static str,
    pub(super) version: Version,
    pub(super) request_id: HeaderValue,
    pub(super) peer: SocketAddr,
    /// The client by what trusted proxies say; the peer without such a proxy.
    pub(super) client: Option<IpAddr>,
    pub(super) scheme: Option<&'static str>,
    pub(super) network: Option<Arc<str>>,
    pub(super) generation: u64,
    pub(super) pipeline: Option<Arc<str>>,
    pub(super) endpoint: Option<Arc<str>>,
    /// The host and port that the client has asked for, if a route has matched.
    pub(super) authority: Option<Authority>,
    pub(super) attempts: Vec<Attempt>,
    /// 0 if the client left before the response.
    pub(super) status: u16,
    pub(super) reason: Option<&'static str>,
    /// Set when the whole response was given to the connection.
    pub(super) is_complete: bool,
}

/// An attempt at a backend, until the head of its response.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) span_id: u64,
    pub(super) origin: String,
    /// The time since the start of the request.
    pub(super) start: Duration,
    /// The same; `None` while it lasts.
    pub(super) end: Option<Duration>,
    pub(super) outcome: Outcome,
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The status of the response.
    Answered(u16),
    /// The kind of the failure.
    Failed(&'static str),
}

impl Recording {
    /// Begins the recording of a request, whose identity already has the id of its span.
    pub(super) fn begin<B>(peer: SocketAddr, request: &Request<B>, identity: &Identity) -> Self {
        Self {
            trace_id: u128::from_str_radix(identity.trace_id(), 16).unwrap_or_default(),
            span_id: identity.span_id(),
            parent_id: trace::parent(request.headers()),
            start: SystemTime::now(),
            began: Instant::now(),
            duration: Duration::ZERO,
            method: known(request.method()),
            version: request.version(),
            request_id: identity.header().clone(),
            peer,
            client: None,
            scheme: None,
            network: None,
            generation: 0,
            pipeline: None,
            endpoint: None,
            authority: None,
            attempts: Vec::new(),
            status: 0,
            reason: None,
            is_complete: false,
        }
    }

    /// Notes the host that the client has asked for.
    pub(super) fn ask_for(&mut self, authority: &str) {
        let authority = Some(authority).filter(|authority| authority.len() <= MAX_HOST);
        self.authority = authority.and_then(|authority| authority.parse().ok());
    }

    /// Begins an attempt.
    pub(super) fn attempt(&mut self, span_id: u64, origin: &str) {
        let start = self.began.elapsed();
        let (origin, outcome) = (origin.to_owned(), Outcome::Failed("cancelled"));
        self.attempts.push(Attempt { span_id, origin, start, end: None, outcome });
    }

    /// Ends the last attempt, if it has not ended.
    pub(super) fn end_attempt(&mut self, outcome: Outcome) {
        let now = self.began.elapsed();
        if let Some(last) = self.attempts.last_mut().filter(|last| last.end.is_none()) {
            (last.end, last.outcome) = (Some(now), outcome);
        }
    }

    /// Ends the request, and an attempt that it has left.
    pub(super) fn end(&mut self, status: u16, reason: Option<&'static str>, is_complete: bool) {
        self.end_attempt(Outcome::Failed(reason.unwrap_or("cancelled")));
        self.duration = self.began.elapsed();
        (self.status, self.reason, self.is_complete) = (status, reason, is_complete);
    }

    /// Returns the number of its spans.
    pub(super) fn spans(&self) -> usize {
        1 + self.attempts.len()
    }
}

/// Returns the name of a method that is known (RFC 9110, section 9; RFC 5789). The others are text of the client.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}
