//! The record of one request, from its head to the end of its response.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use provider_api::Shared;
use tokio::time::Instant;

use crate::access_log::{AccessLog, Entry};
use crate::metrics::fault::Fault;
use crate::metrics::listener::ListenerTraffic;
use crate::metrics::pipeline::{Class, Live, RouteTraffic};
use crate::metrics::reason::Reason;
use crate::metrics::traffic::Traffic;
use crate::otlp::Spans;
use crate::trace::Identity;

/// The record of one request, for counters, the access log and spans. It is written where things happen, and read at the end.
#[derive(Debug)]
pub(crate) struct Record {
    identity: Identity,
    /// `None` if the request is not timed.
    start: Option<Instant>,
    part: Part,
    status: u16,
    reason: Option<Reason>,
    attempts: u32,
    backend_time: Option<Duration>,
    entry: Option<(Arc<AccessLog>, Box<Entry>)>,
    spans: Spans,
}

/// The origin of a request.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The client by what trusted proxies say; `None` without such a proxy.
    pub(crate) client: Option<IpAddr>,
    pub(crate) network: Arc<str>,
    pub(crate) scheme: &'static str,
    /// The generation of the configuration that serves the request.
    pub(crate) generation: u64,
}

/// The part of the gateway that a request belongs to.
#[derive(Debug)]
enum Part {
    /// No route, at least so far.
    Unrouted,
    Route(Shared<Live>),
    Management,
    /// A probe of the gateway itself, or any request of a gateway that counts none.
    Uncounted,
}

impl Record {
    /// Begins the record of a request.
    pub(crate) fn begin<B>(traffic: &Traffic, peer: SocketAddr, request: &Request<B>) -> Self {
        let mut identity = Identity::of(request.headers());
        let spans = Spans::begin(traffic.exporter(), peer, request, &mut identity);
        let is_logged = traffic.access_log().is_some();
        let is_counted = traffic.is_counted();
        let entry = |log| (Arc::clone(log), Box::new(Entry::new(peer, request, &identity)));
        let entry = traffic.access_log().map(entry);
        Self {
            identity,
            start: (is_counted || is_logged).then(Instant::now),
            part: if is_counted { Part::Unrouted } else { Part::Uncounted },
            status: 0,
            reason: None,
            attempts: 0,
            backend_time: None,
            entry,
            spans,
        }
    }

    /// Returns the identity of the request.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the entry of the access log, if there is one.
    pub(crate) fn entry(&mut self) -> Option<&mut Entry> {
        self.entry.as_mut().map(|(_, entry)| &mut **entry)
    }

    /// Notes the origin of the request, if something records it.
    pub(crate) fn come_from(&mut self, origin: impl FnOnce() -> Origin) {
        if self.entry.is_none() && !self.spans.is_on() {
            return;
        }
        let Origin { client, network, scheme, generation } = origin();
        self.spans.come_from(client, &network, scheme, generation);
        if let Some(entry) = self.entry() {
            (entry.client, entry.network, entry.generation) = (client, Some(network), generation);
        }
    }

    /// Notes the route of the request.
    pub(crate) fn route(&mut self, route: Option<&Arc<RouteTraffic>>) {
        if let (Some(route), Part::Unrouted) = (route, &self.part) {
            self.part = Part::Route(route.live());
        }
    }

    /// Notes the names of the route, and the host that the client has asked for.
    pub(crate) fn describe_route(&mut self, pipeline: &Arc<str>, endpoint: &Arc<str>, authority: &str) {
        self.spans.route(pipeline, endpoint, authority);
        if let Some(entry) = self.entry() {
            entry.pipeline = Some(Arc::clone(pipeline));
            entry.endpoint = Some(Arc::clone(endpoint));
        }
    }

    /// Notes that the request is for the management API.
    pub(crate) fn management(&mut self) {
        if matches!(self.part, Part::Unrouted) {
            self.part = Part::Management;
        }
    }

    /// Notes that the request is a probe of the gateway itself: it is no traffic.
    pub(crate) fn probe(&mut self) {
        self.part = Part::Uncounted;
        self.entry = None;
        self.spans.discard();
    }

    /// Notes why the gateway answers the request itself.
    pub(crate) fn refuse(&mut self, reason: Reason) {
        self.reason = Some(reason);
        // An attempt at a backend that lasted until then has failed for the same reason.
        self.spans.failed(reason.as_str());
    }

    /// Notes the status of the response that begins.
    pub(crate) fn respond(&mut self, status: u16) {
        self.status = status;
    }

    /// Begins an attempt to send the request to a backend. Returns the moment, if requests are timed.
    pub(crate) fn attempt(&mut self, origin: impl FnOnce() -> String) -> Option<Instant> {
        if self.attempts > 0
            && let Part::Route(live) = &self.part
        {
            live.pipeline.retried();
        }
        self.attempts += 1;
        if self.entry.is_some() || self.spans.is_on() {
            let origin = origin();
            self.spans.attempt(&origin, &mut self.identity);
            if let Some(entry) = self.entry() {
                entry.origin = Some(origin);
            }
        }
        self.start.map(|_| Instant::now())
    }

    /// Notes that the head of the response to the attempt since `sent_at` has come, with this status.
    pub(crate) fn answered(&mut self, sent_at: Option<Instant>, status: u16) {
        self.spans.answered(status);
        self.backend_time = sent_at.map(|sent_at| sent_at.elapsed());
    }

    /// Counts an attempt that failed.
    pub(crate) fn failed(&mut self, fault: Fault) {
        self.spans.failed(fault.as_str());
        if let Part::Route(live) = &self.part {
            live.pipeline.failed(fault);
        }
    }

    /// Counts and logs the request, whose response is over: `is_complete` if all of it was given to the connection.
    pub(crate) fn finish(&mut self, listener: Option<&ListenerTraffic>, is_complete: bool) {
        let duration = self.start.map(|start| start.elapsed());
        let class = Class::of(self.status);
        match &self.part {
            Part::Unrouted => listener.into_iter().for_each(|listener| listener.unrouted(class)),
            Part::Management => listener.into_iter().for_each(|listener| listener.management(class)),
            Part::Route(live) => {
                live.counts.get().count(class);
                duration.into_iter().for_each(|duration| live.pipeline.took(duration));
                self.backend_time.into_iter().for_each(|time| live.pipeline.backend_took(time));
            }
            Part::Uncounted => {}
        }
        let reason = self.reason.map(Reason::as_str);
        self.spans.finish(self.status, reason, is_complete);
        if let Some((log, mut entry)) = self.entry.take() {
            entry.status = self.status;
            entry.reason = reason;
            entry.is_complete = is_complete;
            entry.attempts = self.attempts;
            entry.duration = duration.unwrap_or_default();
            entry.backend_time = self.backend_time;
            log.write(entry);
        }
    }
}
