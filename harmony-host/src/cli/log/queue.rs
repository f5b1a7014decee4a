//! The queue of log lines, and the thread that writes them: a log that nobody reads must not stop the gateway.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cli::log::sink::Sink;

/// The maximum size of the queue, in bytes. About 5 000 lines.
const LIMIT: usize = 1024 * 1024;

/// The memory of a line in the queue beside its text, so that empty lines are bounded too.
const OVERHEAD: usize = 64;

/// A writer to a bounded queue of lines, which a thread writes to a [`Sink`].
///
/// A write takes one line of the log, or several that belong together. It neither waits for the reader of the log nor
/// fails. Lines that do not fit are dropped and counted. A line in their place gives the number.
#[derive(Clone, Debug)]
pub(super) struct Queue(Arc<Shared>);

/// The state that the writers and the thread share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signals a line for the thread.
    filled: Condvar,
    /// Signals that everything is written.
    written: Condvar,
}

/// The lines that are to be written.
#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    /// The size of the entries, in bytes.
    size: usize,
    /// The number of lines that were dropped since the queue was full. While it is above 0, every line is dropped.
    dropped: u64,
    /// True while the thread writes an entry that is no longer in the queue.
    is_writing: bool,
}

/// A line, or the place of lines that were dropped.
#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    Dropped(u64),
}

impl Queue {
    /// Creates a queue, and starts the thread that writes it to `sink`.
    ///
    /// # Errors
    /// The operating system denies a thread.
    pub(super) fn start(mut sink: Sink<impl Write + Send + 'static>) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let writer = queue.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                match writer.0.next() {
                    Entry::Line(line) => sink.line(&line),
                    Entry::Dropped(count) => sink.not_read(count),
                }
            }
        })?;
        Ok(queue)
    }

    /// Waits until all lines are written, at most for `limit`. Blocks the thread.
    pub(super) fn finish(&self, limit: Duration) {
        let state = self.0.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.entries.is_empty();
        drop(self.0.written.wait_timeout_while(state, limit, is_busy));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next entry. Waits for it.
    fn next(&self) -> Entry {
        let mut state = self.lock();
        loop {
            state.is_writing = false;
            if let Some(entry) = state.take() {
                state.is_writing = true;
                return entry;
            }
            self.written.notify_all();
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    /// Adds a line. Returns false if it does not fit.
    ///
    /// After the first line that does not fit, all are dropped until half of the queue is written: with a slow reader
    /// each line that fits would otherwise be followed by a gap.
    fn add(&mut self, line: &[u8]) -> bool {
        let size = line.len() + OVERHEAD;
        let fits = self.dropped == 0 && (self.size == 0 || self.size + size <= LIMIT);
        match fits {
            true => {
                self.size += size;
                self.entries.push_back(Entry::Line(line.to_vec()));
            }
            false => self.dropped = self.dropped.saturating_add(1),
        }
        fits
    }

    /// Takes the oldest entry. Accepts lines again once the queue is half empty.
    fn take(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        if let Entry::Line(line) = &entry {
            self.size -= line.len() + OVERHEAD;
        }
        if self.dropped > 0 && self.size <= LIMIT / 2 {
            self.entries.push_back(Entry::Dropped(std::mem::take(&mut self.dropped)));
        }
        Some(entry)
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.lock().add(line) {
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output whose reader takes one line per permission, and what was written.
    struct Slow(Receiver<()>, Sender<String>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Queue, Sender<()>, Receiver<String>) {
        let ((permit, permits), (written, lines)) = (channel(), channel());
        let sink = Sink::new(Slow(permits, written), |text| format!("note: {text}\n"));
        (Queue::start(sink).unwrap(), permit, lines)
    }

    /// A line with its number that fills about a hundredth of the queue.
    fn line(n: usize) -> String {
        format!("{n:0>width$}\n", width = LIMIT / 100 - OVERHEAD)
    }

    #[test]
    fn lines_that_do_not_fit_are_counted_in_their_place() {
        let (mut queue, permit, lines) = slow();
        for n in 0..500 {
            queue.write_all(line(n).as_bytes()).unwrap();
        }
        drop(permit);
        queue.finish(Duration::from_secs(60));
        queue.write_all(line(500).as_bytes()).unwrap();
        queue.finish(Duration::from_secs(60));
        let written: Vec<String> = lines.try_iter().collect();
        let [kept @ .., note, last] = &written[..] else { panic!("{written:?}") };
        assert!((99..=102).contains(&kept.len()), "{}", kept.len());
        assert!(kept.iter().enumerate().all(|(n, kept)| *kept == line(n)));
        let dropped = 500 - kept.len();
        assert_eq!(*note, format!("note: dropped {dropped} log lines: standard error was not read\n"));
        assert_eq!(*last, line(500));
    }

    #[test]
    fn a_line_larger_than_the_queue_is_written_alone() {
        let (mut queue, permit, lines) = slow();
        drop(permit);
        let large = "x".repeat(2 * LIMIT);
        for line in ["first", &large, "last"] {
            queue.write_all(line.as_bytes()).unwrap();
            queue.finish(Duration::from_secs(60));
        }
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["first", &large, "last"]);
    }

    #[test]
    fn finishing_is_bounded() {
        let (mut queue, _permit, _lines) = slow();
        queue.write_all(b"never read").unwrap();
        queue.finish(Duration::from_millis(1));
    }
}
