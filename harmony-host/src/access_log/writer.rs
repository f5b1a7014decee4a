//! The access log, and the thread that writes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::access_log::entry::Entry;
use crate::access_log::format::Format;
use crate::access_log::output::{Output, Target};
use crate::access_log::queue::{Queue, Work};
use crate::diagnostics::redaction::redact;
use crate::diagnostics::throttle::Throttle;

/// The size of the text that is written at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// The access log of a gateway. A request never waits for it: what cannot be written in time is dropped and counted.
#[derive(Debug)]
pub(crate) struct AccessLog {
    queue: Arc<Queue>,
    /// One in so many requests is logged, besides every error.
    sample: u64,
    requests: AtomicU64,
    /// Entries that could not be written.
    failed: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens the target, and starts the thread. One in `sample` requests is logged, and every error.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn start(format: Format, target: Target, sample: u64) -> io::Result<Arc<Self>> {
        let output = Output::open(target)?;
        let queue = Arc::new(Queue::default());
        let failed = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            format,
            output,
            queue: Arc::clone(&queue),
            failed: Arc::clone(&failed),
            reported: 0,
            throttle: Throttle::default(),
        };
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run())?;
        Ok(Arc::new(Self { queue, sample: sample.max(1), requests: AtomicU64::new(0), failed }))
    }

    /// Hands an entry to the log, if its turn has come or it is an error. Neither waits nor fails.
    pub(crate) fn write(&self, entry: Box<Entry>) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if number.is_multiple_of(self.sample) || entry.is_error() {
            self.queue.add(entry);
        }
    }

    /// Opens the file again, soon: it may have been renamed.
    pub(crate) fn reopen(&self) {
        self.queue.reopen();
    }

    /// Waits until all entries are written, at most for `limit`. Blocks the thread.
    pub(crate) fn finish(&self, limit: Duration) {
        self.queue.finish(limit);
    }

    /// Returns the number of entries that were dropped or could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.queue.dropped.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

/// The work of the thread.
struct Writer {
    format: Format,
    output: Output,
    queue: Arc<Queue>,
    failed: Arc<AtomicU64>,
    /// The number of lost entries that the log of the gateway tells about.
    reported: u64,
    throttle: Throttle,
}

impl Writer {
    fn run(mut self) {
        loop {
            let Work { entries, must_reopen } = self.queue.next();
            if must_reopen && let Err(error) = self.output.reopen() {
                tracing::warn!(%error, "the access log could not be opened again; the open file is used on");
            }
            let mut lines = String::new();
            let mut count = 0;
            let last = entries.len();
            for (at, entry) in entries.into_iter().enumerate() {
                self.format.write(&entry, &mut lines);
                count += 1;
                if lines.len() >= CHUNK || at + 1 == last {
                    self.flush(&mut lines, count);
                    count = 0;
                }
            }
            self.report();
        }
    }

    fn flush(&mut self, lines: &mut String, count: u64) {
        if let Err(error) = self.output.write(redact(lines).as_bytes()) {
            self.failed.fetch_add(count, Ordering::Relaxed);
            if self.throttle.is_due().is_some() {
                tracing::warn!(%error, "the access log cannot be written");
            }
        }
        lines.clear();
    }

    /// Logs the number of entries that were lost since the last time.
    fn report(&mut self) {
        let lost = self.queue.dropped.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed);
        if lost > self.reported && self.throttle.is_due().is_some() {
            let lines = lost - self.reported;
            tracing::warn!(lines, "lines of the access log were dropped: its reader or its disk is too slow");
            self.reported = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http::Request;

    use super::*;
    use crate::trace::Identity;

    fn entry(uri: &str, status: u16) -> Box<Entry> {
        let request = Request::get(uri).header("x-request-id", "the-id").body(()).unwrap();
        let identity = Identity::of(request.headers());
        let mut entry = Entry::new("192.0.2.7:80".parse().unwrap(), &request, &identity);
        (entry.status, entry.is_complete) = (status, true);
        Box::new(entry)
    }

    fn written(format: Format, sample: u64, entries: impl IntoIterator<Item = Box<Entry>>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = AccessLog::start(format, Target::File(path.clone()), sample).unwrap();
        entries.into_iter().for_each(|entry| log.write(entry));
        log.finish(Duration::from_secs(60));
        assert_eq!(log.lost(), 0);
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_line_of_json_has_the_fields() {
        let text = written(Format::Json, 1, [entry("/a%22b?token=secret", 200)]);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["path"], &line["status"]), (&"/a%22b".into(), &200.into()), "{text}");
        assert_eq!((&line["client"], &line["request_id"]), (&"192.0.2.7".into(), &"the-id".into()));
        assert!(!text.contains("secret"), "the query may hold one");
    }

    #[test]
    fn a_common_line_begins_as_web_servers_write_it() {
        let text = written(Format::Common, 1, [entry("/a", 204), entry("/b", 0)]);
        let (first, second) = text.split_once('\n').unwrap();
        assert!(first.starts_with("192.0.2.7 - - ["), "{first}");
        assert!(first.contains("] \"GET /a HTTP/1.1\" 204 0 request_id=the-id "), "{first}");
        assert!(second.contains("\"GET /b HTTP/1.1\" - 0 "), "{second}");
    }

    #[test]
    fn errors_are_logged_whatever_the_sample() {
        let entries = (0..100).map(|n| entry("/", if n % 10 == 5 { 500 } else { 200 }));
        let text = written(Format::Json, 50, entries);
        assert_eq!(text.matches("\"status\":500").count(), 10);
        assert_eq!(text.matches("\"status\":200").count(), 2);
    }

    #[test]
    fn a_renamed_file_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
        let log = AccessLog::start(Format::Json, Target::File(path.clone()), 1).unwrap();
        log.write(entry("/first", 200));
        log.finish(Duration::from_secs(60));
        fs::rename(&path, &old).unwrap();
        log.reopen();
        log.finish(Duration::from_secs(60));
        log.write(entry("/second", 200));
        log.finish(Duration::from_secs(60));
        assert!(fs::read_to_string(old).unwrap().contains("/first"));
        let now = fs::read_to_string(path).unwrap();
        assert!(now.contains("/second") && !now.contains("/first"), "{now}");
    }

    /// Nobody reads the pipe: what does not fit is counted, and nobody waits.
    #[test]
    fn what_does_not_fit_is_counted() {
        let queue = Queue::default();
        (0..20_000).for_each(|_| queue.add(entry("/", 200)));
        let kept = queue.next().entries.len() as u64;
        assert_eq!(kept + queue.dropped.load(Ordering::Relaxed), 20_000);
        assert!((10_000..20_000).contains(&kept), "{kept}");
    }
}
