//! A request in flight with its record, which is counted and logged when the response is over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::Response;

use crate::http::body::Body;
use crate::http::upload::Upload;
use crate::metrics::Record;
use crate::server::in_flight::{Activity, InFlight};
use crate::trace::REQUEST_ID;

/// A request in flight. Dropping it ends the request.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) record: Record,
    in_flight: InFlight,
    received: AtomicU64,
    sent: AtomicU64,
    is_complete: AtomicBool,
}

impl Counted {
    pub(super) fn new(in_flight: InFlight, record: Record) -> Self {
        let (received, sent, is_complete) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Self { record, in_flight, received, sent, is_complete }
    }

    /// Returns the activity of the connection.
    pub(super) fn activity(&self) -> &Activity {
        self.in_flight.activity()
    }

    /// Notes the response that begins, and tells the client the id of the request.
    pub(super) fn respond(&mut self, response: &mut Response<Body>, upload: &Upload) {
        self.record.respond(response.status().as_u16());
        self.received.store(upload.bytes_read(), Ordering::Relaxed);
        response.headers_mut().insert(REQUEST_ID, self.record.identity().header().clone());
    }

    /// Notes the end of the response: the request body that was read until then if it was not over, the bytes that were sent, and
    /// if that was all.
    pub(super) fn end(&self, upload: Option<&Upload>, sent: u64, is_complete: bool) {
        if let Some(upload) = upload {
            self.received.store(upload.bytes_read(), Ordering::Relaxed);
        }
        self.sent.store(sent, Ordering::Relaxed);
        self.is_complete.store(is_complete, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(entry) = self.record.entry() {
            entry.bytes_in = self.received.load(Ordering::Relaxed);
            entry.bytes_out = self.sent.load(Ordering::Relaxed);
        }
        self.record.finish(Some(self.in_flight.traffic()), self.is_complete.load(Ordering::Relaxed));
    }
}
