//! The formats of a line.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use http::Version;
use jiff::Timestamp;
use serde::Serialize;

use crate::access_log::entry::Entry;
use crate::diagnostics::escape::is_unsafe;

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object.
    Json,
    /// The Common Log Format of web servers, and further fields as `name=value`.
    Common,
}

impl Format {
    /// Writes the line of an entry, with its end.
    pub(super) fn write(self, entry: &Entry, line: &mut String) {
        match self {
            Self::Json => write_json(entry, line),
            Self::Common => write_common(entry, line),
        }
        line.push('\n');
    }
}

/// The fields of an entry as JSON. Those that do not apply are `null`, so that every line has the same ones.
#[derive(Serialize)]
struct Fields<'a> {
    time: String,
    request_id: &'a str,
    trace_id: &'a str,
    peer: String,
    client: String,
    network: Option<&'a str>,
    pipeline: Option<&'a str>,
    endpoint: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    status: Option<u16>,
    complete: bool,
    bytes_in: u64,
    bytes_out: u64,
    duration_ms: f64,
    backend: Option<&'a str>,
    backend_ms: Option<f64>,
    attempts: u32,
    reason: Option<&'static str>,
    generation: u64,
}

fn write_json(entry: &Entry, line: &mut String) {
    let fields = Fields {
        time: jiff_time(entry).to_string(),
        request_id: entry.identity.request_id(),
        trace_id: entry.identity.trace_id(),
        peer: entry.peer.to_string(),
        client: client(entry),
        network: entry.network.as_deref(),
        pipeline: entry.pipeline.as_deref(),
        endpoint: entry.endpoint.as_deref(),
        method: entry.method.as_str(),
        path: &entry.path,
        protocol: protocol(entry.version),
        status: (entry.status != 0).then_some(entry.status),
        complete: entry.is_complete,
        bytes_in: entry.bytes_in,
        bytes_out: entry.bytes_out,
        duration_ms: millis(entry.duration),
        backend: entry.origin.as_deref(),
        backend_ms: entry.backend_time.map(millis),
        attempts: entry.attempts,
        reason: entry.reason,
        generation: entry.generation,
    };
    let Ok(text) = serde_json::to_string(&fields) else { return };
    for c in text.chars() {
        match is_unsafe(c) {
            // JSON permits them in strings, and terminals obey them. All of them are in the basic plane.
            true => drop(write!(line, "\\u{:04x}", u32::from(c))),
            false => line.push(c),
        }
    }
}

fn write_common(entry: &Entry, line: &mut String) {
    let time = jiff_time(entry).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
    let dash = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let status = if entry.status == 0 { "-".to_owned() } else { entry.status.to_string() };
    let _ = write!(
        line,
        "{} - - [{time}] \"{} {} {}\" {status} {}",
        client(entry),
        escaped(entry.method.as_str()),
        escaped(&entry.path),
        protocol(entry.version),
        entry.bytes_out,
    );
    let identity = &entry.identity;
    let _ = write!(
        line,
        " request_id={} trace_id={} peer={} network={} pipeline={} endpoint={} complete={} bytes_in={} \
         duration_ms={:.3} backend={} backend_ms={} attempts={} reason={} generation={}",
        identity.request_id(),
        identity.trace_id(),
        entry.peer,
        escaped(&dash(entry.network.as_deref())),
        dash(entry.pipeline.as_deref()),
        dash(entry.endpoint.as_deref()),
        entry.is_complete,
        entry.bytes_in,
        millis(entry.duration),
        dash(entry.origin.as_deref()),
        entry.backend_time.map_or_else(|| "-".to_owned(), |time| format!("{:.3}", millis(time))),
        entry.attempts,
        dash(entry.reason),
        entry.generation,
    );
}

/// Returns a text for a quoted field: quotation marks, backslashes, spaces and what is no plain ASCII are escaped, so that a path
/// can neither end its field nor begin a line.
fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let escape = |b: u8| if is_plain(b) { char::from(b).to_string() } else { format!("\\x{b:02x}") };
    Cow::Owned(text.bytes().map(escape).collect())
}

fn client(entry: &Entry) -> String {
    entry.client.unwrap_or_else(|| entry.peer.ip().to_canonical()).to_string()
}

fn jiff_time(entry: &Entry) -> Timestamp {
    let time = Timestamp::try_from(entry.at).ok();
    time.and_then(|time| time.round(jiff::Unit::Millisecond).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns milliseconds, rounded to microseconds.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
