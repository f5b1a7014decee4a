//! The output of the log: writes whole lines, and counts those that cannot be written.

use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use crate::diagnostics::logged::counted;

/// The interval of attempts to write to an output that is full and does not block.
const RETRY: Duration = Duration::from_millis(10);

/// An output of log lines. A write error loses a line, and nothing else: a pipe can have lost its reader, a disk can be
/// full, a terminal can be gone. The next line that can be written follows a note with the number of those lost.
#[derive(Debug)]
pub(super) struct Sink<W> {
    output: W,
    /// Makes a line of the log from a text.
    note: fn(&str) -> String,
    /// The number of lines that were lost, and why.
    lost: Option<(u64, String)>,
    /// True if the last write ended within a line.
    is_torn: bool,
}

impl<W: Write> Sink<W> {
    /// Creates an output. `note` makes a line of the log from a text.
    pub(super) fn new(output: W, note: fn(&str) -> String) -> Self {
        Self { output, note, lost: None, is_torn: false }
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &[u8]) {
        let written = self.note_losses().and_then(|()| self.write(line));
        if let Err(error) = written {
            self.lose(1, format!("standard error failed: {error}"));
        }
    }

    /// Writes that `count` lines were dropped, because the reader of the log was too slow.
    pub(super) fn not_read(&mut self, count: u64) {
        self.lose(count, "standard error was not read".to_owned());
        // The note follows with a later line if it cannot be written now.
        let _ = self.note_losses();
    }

    fn lose(&mut self, count: u64, reason: String) {
        let before = self.lost.take().map_or(0, |(count, _)| count);
        self.lost = Some((before.saturating_add(count), reason));
    }

    /// Writes the number of lines that were lost, if any.
    fn note_losses(&mut self) -> io::Result<()> {
        let Some((count, reason)) = &self.lost else { return Ok(()) };
        let lines = counted(usize::try_from(*count).unwrap_or(usize::MAX), "log line");
        let note = (self.note)(&format!("dropped {lines}: {reason}"));
        self.write(note.as_bytes())?;
        self.lost = None;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write_all(b"\n")?;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        let mut rest = text;
        while !rest.is_empty() {
            match self.output.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another process that shares the pipe or the terminal can have made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::park_timeout(RETRY),
                Err(error) => return Err(error),
            }
            self.is_torn = !rest.is_empty() && rest.len() < text.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that fails as told, once for each write, and takes at most 8 bytes at once.
    #[derive(Default)]
    struct Faulty {
        faults: Vec<Option<ErrorKind>>,
        text: String,
    }

    impl Write for Faulty {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if let Some(fault) = self.faults.pop().flatten() {
                return Err(fault.into());
            }
            let text = &text[..text.len().min(8)];
            self.text.push_str(&String::from_utf8_lossy(text));
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(faults: &[Option<ErrorKind>], lines: &[&str]) -> String {
        let faults = faults.iter().rev().copied().collect();
        let mut sink = Sink::new(Faulty { faults, ..Faulty::default() }, |text| format!("note: {text}\n"));
        for line in lines {
            sink.line(line.as_bytes());
        }
        sink.output.text
    }

    #[test]
    fn interrupted_and_full_outputs_are_tried_again() {
        let faults = [Some(ErrorKind::Interrupted), None, Some(ErrorKind::WouldBlock)];
        assert_eq!(written(&faults, &["first line\n", "second line\n"]), "first line\nsecond line\n");
    }

    #[test]
    fn lost_lines_are_counted_before_the_next_one() {
        for fault in [ErrorKind::BrokenPipe, ErrorKind::StorageFull, ErrorKind::Other] {
            let text = written(&[None, Some(fault), Some(fault)], &["one\n", "two\n", "three\n", "four\n"]);
            assert_eq!(
                text,
                format!(
                    "one\nnote: dropped 2 log lines: standard error failed: {}\nfour\n",
                    io::Error::from(fault)
                )
            );
        }
    }

    #[test]
    fn a_line_after_a_torn_one_begins_a_line() {
        let text = written(&[None, Some(ErrorKind::StorageFull)], &["the first line\n", "two\n"]);
        let (torn, rest) = text.split_once('\n').unwrap();
        assert_eq!(torn, "the firs");
        assert!(rest.starts_with("note: dropped 1 log line: ") && rest.ends_with("\ntwo\n"), "{rest}");
    }
}
