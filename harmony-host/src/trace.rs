//! The identity of a request in logs and traces: its request id, and its trace context (W3C Trace Context, level 1).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header with the id of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The longest request id that is taken from a client, in bytes. A longer one is replaced.
const MAX_REQUEST_ID: usize = 128;

/// The length of `00-<trace id>-<parent id>-<flags>`.
const TRACEPARENT_LENGTH: usize = 55;

/// The trace id, the parent id and the flags within it.
const TRACE_ID: std::ops::Range<usize> = 3..35;
const PARENT_ID: std::ops::Range<usize> = 36..52;
const FLAGS: std::ops::Range<usize> = 53..55;

/// The flag of a trace that is recorded.
#[cfg(feature = "otlp")]
const SAMPLED: u8 = 1;

/// The identity of one request.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    request_id: HeaderValue,
    traceparent: HeaderValue,
    /// Set if the client has sent the trace, so that its `tracestate` belongs to it.
    is_continued: bool,
}

impl Identity {
    /// Takes the request id and the trace of a client, where they are well-formed, and makes the others.
    ///
    /// The gateway is a participant of the trace: the parent id is always a new one. A new trace is marked as sampled. Without
    /// the mark the backends would leave out a trace that they record when nobody is in front of them.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = only(headers, &REQUEST_ID).filter(|id| is_request_id(id.as_bytes()));
        let trace = only(headers, &TRACEPARENT).filter(|parent| is_traceparent(parent.as_bytes()));
        let mut text = [0; TRACEPARENT_LENGTH];
        text.copy_from_slice(b"00-00000000000000000000000000000000-0000000000000000-01");
        let sent = trace.and_then(|trace| trace.as_bytes().get(..TRACEPARENT_LENGTH));
        match sent {
            Some(sent) => {
                // A later version is answered in the version that is spoken here.
                text[TRACE_ID].copy_from_slice(&sent[TRACE_ID]);
                text[FLAGS].copy_from_slice(&sent[FLAGS]);
            }
            None => write_hex(&mut text[TRACE_ID], random()),
        }
        write_hex(&mut text[PARENT_ID], random());
        // One allocation: without an id and a trace of the client, the trace id is the request id.
        let text = Bytes::copy_from_slice(&text);
        let request_id = match given {
            // A copy: a part of the buffer of the request would keep all of it.
            Some(given) => HeaderValue::from_bytes(given.as_bytes()).ok(),
            None if sent.is_none() => HeaderValue::from_maybe_shared(text.slice(TRACE_ID)).ok(),
            None => new_id(),
        };
        Self {
            request_id: request_id.unwrap_or(HeaderValue::from_static("-")),
            traceparent: HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("-")),
            is_continued: sent.is_some(),
        }
    }

    /// Begins a new span of the trace: its id is the parent id of the requests that are sent from now on. Returns the id.
    #[cfg(feature = "otlp")]
    pub(crate) fn begin_span(&mut self) -> u64 {
        self.edit(|text| write_hex(&mut text[PARENT_ID], random()));
        self.span_id()
    }

    /// Returns the id of the newest span: the parent id in the request to the backend.
    #[cfg(feature = "otlp")]
    pub(crate) fn span_id(&self) -> u64 {
        let digits = self.traceparent.to_str().ok().and_then(|text| text.get(PARENT_ID));
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
    }

    /// Returns whether the trace is marked as sampled.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_sampled(&self) -> bool {
        let digits = self.traceparent.to_str().ok().and_then(|text| text.get(FLAGS));
        digits
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .is_some_and(|flags| flags & SAMPLED != 0)
    }

    /// Removes the mark from a trace that the gateway has begun.
    #[cfg(feature = "otlp")]
    pub(crate) fn leave_out(&mut self) {
        self.edit(|text| text[FLAGS].copy_from_slice(b"00"));
    }

    #[cfg(feature = "otlp")]
    fn edit(&mut self, edit: impl FnOnce(&mut [u8; TRACEPARENT_LENGTH])) {
        let Ok(mut text) = <[u8; TRACEPARENT_LENGTH]>::try_from(self.traceparent.as_bytes()) else { return };
        edit(&mut text);
        if let Ok(edited) = HeaderValue::from_bytes(&text) {
            self.traceparent = edited;
        }
    }

    /// Returns the request id as a header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.request_id
    }

    /// Returns the request id.
    pub(crate) fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// Returns the id of the trace: 32 hexadecimal digits.
    pub(crate) fn trace_id(&self) -> &str {
        self.traceparent.to_str().ok().and_then(|text| text.get(TRACE_ID)).unwrap_or_default()
    }

    /// Returns the headers of the request to the backend.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        [(REQUEST_ID, &self.request_id), (TRACEPARENT, &self.traceparent)].into_iter()
    }

    /// Returns whether a header of the client is not for the backend: one that is replaced, or that belongs to a trace which
    /// cannot be read.
    pub(crate) fn replaces(&self, name: &HeaderName) -> bool {
        *name == REQUEST_ID || *name == TRACEPARENT || (!self.is_continued && *name == TRACESTATE)
    }

    /// Sets the headers of the request to the backend.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        if !self.is_continued && headers.contains_key(TRACESTATE) {
            headers.remove(TRACESTATE);
        }
        for (name, value) in self.headers() {
            headers.insert(name, value.clone());
        }
    }
}

/// Returns the id of the client's span, if the request continues its trace.
#[cfg(feature = "otlp")]
pub(crate) fn parent(headers: &HeaderMap) -> Option<u64> {
    let sent = only(headers, &TRACEPARENT).filter(|sent| is_traceparent(sent.as_bytes()))?;
    u64::from_str_radix(sent.to_str().ok()?.get(PARENT_ID)?, 16).ok()
}

/// Returns the value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Returns whether an id is safe in logs and headers: some of the characters of tokens and of base64.
fn is_request_id(id: &[u8]) -> bool {
    let is_safe = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:@+/=".contains(b);
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(is_safe)
}

/// Returns whether a value is a traceparent (section 3.2): ids in lower case that are not all zeros, and no more than version 00
/// has. A later version may have more behind a dash.
fn is_traceparent(value: &[u8]) -> bool {
    let Some((known, more)) = value.split_at_checked(TRACEPARENT_LENGTH) else { return false };
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &[u8]| is_hex(part) && part.iter().any(|b| *b != b'0');
    let (version, dashes) = (&known[..2], [known[2], known[35], known[52]]);
    let has_no_more_than_known = match version {
        b"00" => more.is_empty(),
        b"ff" => false,
        _ => is_hex(version) && matches!(more, [] | [b'-', ..]),
    };
    has_no_more_than_known
        && dashes == *b"---"
        && is_id(&known[TRACE_ID])
        && is_id(&known[PARENT_ID])
        && is_hex(&known[FLAGS])
}

fn new_id() -> Option<HeaderValue> {
    let mut id = [0; TRACE_ID.end - TRACE_ID.start];
    write_hex(&mut id, random());
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&id)).ok()
}

/// Returns a random number that is not zero in any half: an id must not be all zeros.
fn random() -> u128 {
    fastrand::u128(..) | 1 << 64 | 1
}

/// Writes the last digits of a number. Their count is even.
fn write_hex(digits: &mut [u8], number: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().rev().zip(number.to_le_bytes()) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn of(sent: &[(&str, &str)]) -> (Identity, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let identity = Identity::of(&headers);
        identity.put(&mut headers);
        (identity, headers)
    }

    #[test]
    fn a_wellformed_id_is_kept() {
        let longest = "x".repeat(MAX_REQUEST_ID);
        for id in ["1", "a-b_c.d:e@f+g/h=", &longest] {
            assert_eq!(of(&[("x-request-id", id)]).0.request_id(), id);
        }
    }

    #[test]
    fn another_id_is_replaced() {
        let long = "x".repeat(MAX_REQUEST_ID + 1);
        for id in ["", "a b", "a\"b", "a,b", "a\\b", "a;b", "a%0a", "{}", &long] {
            let (identity, headers) = of(&[("x-request-id", id)]);
            assert_eq!(identity.request_id().len(), 32, "{id:?}");
            assert_eq!(headers["x-request-id"], identity.request_id());
        }
        let (identity, headers) = of(&[("x-request-id", "a"), ("x-request-id", "b")]);
        assert_eq!((identity.request_id().len(), headers.get_all("x-request-id").iter().count()), (32, 1));
    }

    #[test]
    fn a_trace_goes_on_with_a_new_parent() {
        let (identity, headers) = of(&[("traceparent", TRACE), ("tracestate", "vendor=1")]);
        let sent = headers["traceparent"].to_str().unwrap();
        assert!(is_traceparent(sent.as_bytes()), "{sent}");
        assert_eq!((&sent[..36], &sent[52..]), (&TRACE[..36], "-00"), "the flags are those of the client");
        assert_ne!(sent[PARENT_ID], TRACE[PARENT_ID]);
        assert_eq!(identity.trace_id(), &TRACE[TRACE_ID]);
        assert_ne!(identity.request_id(), identity.trace_id(), "a trace has many requests");
        assert_eq!(headers["tracestate"], "vendor=1");
        let later = TRACE.replacen("00", "cc", 1) + "-more";
        assert!(of(&[("traceparent", &later)]).1["traceparent"].to_str().unwrap().starts_with(&TRACE[..36]));
    }

    #[test]
    fn another_trace_is_replaced() {
        let zeros = |range| {
            let mut trace = TRACE.to_owned();
            trace.replace_range(range, "0".repeat(16).as_str());
            trace
        };
        let mut bad =
            vec![String::new(), TRACE.to_uppercase(), TRACE.replacen("00", "ff", 1), format!("{TRACE}-x")];
        bad.extend([zeros(PARENT_ID), TRACE.replacen('-', "_", 1), TRACE[..54].to_owned()]);
        bad.push("00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned());
        for trace in &bad {
            let (identity, headers) = of(&[("traceparent", trace), ("tracestate", "vendor=1")]);
            let sent = headers["traceparent"].to_str().unwrap();
            assert!(is_traceparent(sent.as_bytes()) && sent.ends_with("-01"), "{trace}: {sent}");
            assert!(!headers.contains_key("tracestate"), "{trace}");
            assert_eq!(identity.request_id(), identity.trace_id());
        }
        assert_eq!(
            of(&[("traceparent", TRACE), ("traceparent", TRACE)]).1.get_all("traceparent").iter().count(),
            1
        );
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn each_span_is_the_parent_of_the_next_request() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(TRACE));
        assert_eq!(parent(&headers), Some(0x00f0_67aa_0ba9_02b7));
        let mut identity = Identity::of(&headers);
        let first = identity.span_id();
        let second = identity.begin_span();
        assert_ne!(first, second);
        assert_eq!(identity.span_id(), second);
        identity.put(&mut headers);
        assert_eq!(parent(&headers), Some(second));
        assert_eq!(identity.trace_id(), &TRACE[TRACE_ID]);
        assert!(!identity.is_sampled(), "the client has left the mark out");
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn a_new_trace_can_be_left_out() {
        let mut identity = of(&[]).0;
        assert!(identity.is_sampled());
        let id = identity.request_id().to_owned();
        identity.leave_out();
        assert!(!identity.is_sampled());
        assert_eq!(identity.trace_id(), id);
    }

    #[test]
    fn made_ids_differ() {
        let ids: std::collections::HashSet<_> =
            (0..1000).map(|_| of(&[]).0.request_id().to_owned()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
