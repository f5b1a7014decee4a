//! The writer of an audit log.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use crate::audit::Event;
use crate::audit::chain::{self, BEFORE, CHECKPOINT, Mac, Purpose, Record};
use crate::audit::head::{Found, Head};
use crate::audit::key::{Key, open_private};
use crate::audit::place::Place;
use crate::audit::segments::Segment;
use crate::audit::verify::walk;
use crate::storage::append::append;
use crate::storage::atomic_file;
use crate::storage::failpoints::kill;
use crate::storage::io_error;
use crate::storage::operations::{Operation, perform};

/// The size from which on the next records go to a new file, in bytes.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// The number of files that are kept.
const SEGMENTS: usize = 8;

/// The log, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    directory: PathBuf,
    key: Key,
    head: Head,
    /// The file that is appended to, with the length of its records.
    open: Option<(Segment, File, u64)>,
    /// The fault of the records that were there, for the checkpoint of the file that begins behind them.
    fault: Option<String>,
    segment_bytes: u64,
}

impl Log {
    /// Opens the log at `place`, which need not exist. What an append that was interrupted has left is cut off. Behind records
    /// that do not verify a new file begins, and the fault stays there for `audit verify`.
    ///
    /// # Errors
    /// The error of the operating system; a key that cannot be used.
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        let directory = place.directory.clone();
        atomic_file::make_directory(&directory, 0o700).map_err(io_error::at(&directory))?;
        atomic_file::sweep(&directory);
        let first = Head { first: 1, last: 0, mac: Mac::NONE };
        let segments = Segment::list(&directory)?;
        let key = match Key::read(&place.key()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !place.has_given_key() => {
                let (key, text) = Key::make()?;
                // In this order: a key without a head never is what a kill has left.
                if segments.is_empty() {
                    first.write(&directory, &key)?;
                }
                Key::store(&place.key(), &text)?;
                key
            }
            read => read?,
        };
        if Key::is_exposed(&place.key()) {
            tracing::warn!(
                key = %place.key().display(),
                "others than its owner can read the key of the audit log, and so write records that verify; chmod 600"
            );
        }
        let found = Head::read(&directory, &key)?;
        if segments.is_empty() && found == Found::Missing {
            // Before any record: a log without a head is never one that a kill has left.
            first.write(&directory, &key)?;
        }
        let oldest = segments.first().map_or(1, |segment| segment.first);
        let head = if let Found::Intact(head) = found { head } else { Head { first: oldest, ..first } };
        let mut log = Self { directory, key, head, open: None, fault: None, segment_bytes: SEGMENT_BYTES };
        log.fault = match found {
            Found::Damaged => Some("the head was changed, or the key is another".to_owned()),
            Found::Missing if !segments.is_empty() => Some("the head was missing".to_owned()),
            _ => None,
        };
        log.resume(&segments)?;
        if let Some(fault) = &log.fault {
            tracing::error!(
                directory = %log.directory.display(), fault,
                "the audit log is not as the gateway has written it; `harmony-host audit verify` shows where"
            );
        }
        Ok(log)
    }

    /// Finds the end of the records, in the newest file.
    fn resume(&mut self, segments: &[Segment]) -> io::Result<()> {
        let Some(segment) = segments.last() else {
            if self.head.last > 0 {
                self.fault = Some("all records are missing".to_owned());
            }
            return Ok(());
        };
        let bytes = fs::read(&segment.path).map_err(io_error::at(&segment.path))?;
        let mut at_head = None;
        // The head may be at the end of the file before: then this one begins right behind it.
        let begins_behind = segment.first == self.head.last + 1;
        let before = begins_behind.then_some((self.head.last, self.head.mac));
        let walk = walk(&self.key, segment, &bytes, before, |record, mac| {
            if record.n == self.head.last {
                at_head = Some(mac);
            }
        });
        let reached = walk.last.map_or(segment.first.saturating_sub(1), |(number, _)| number);
        let is_intact = walk.fault.is_none() && (at_head == Some(self.head.mac) || begins_behind);
        match (is_intact, self.fault.is_some()) {
            (true, false) => {
                let file = open_private(&segment.path).map_err(io_error::at(&segment.path))?;
                if walk.unfinished {
                    tracing::info!(log = %segment.path.display(), "an unfinished record at the end of the audit log is cut off");
                }
                self.open = Some((segment.clone(), file, walk.intact));
                if let Some((last, mac)) = walk.last.filter(|(last, _)| *last != self.head.last) {
                    self.head = Head { last, mac, ..self.head };
                    self.head.write(&self.directory, &self.key)?;
                }
            }
            _ => {
                self.fault.get_or_insert_with(|| match &walk.fault {
                    Some((line, message)) => format!("{}:{line}: {message}", segment.path.display()),
                    None => format!("records were missing behind number {reached}"),
                });
                // The chain goes on behind the newest number that is known, so that none is used twice.
                self.head.last = self.head.last.max(reached).max(segment.first);
            }
        }
        Ok(())
    }

    /// Returns the number of the newest record.
    pub(super) fn last(&self) -> u64 {
        self.head.last
    }

    /// Appends events, durably, and moves the head behind them.
    ///
    /// # Errors
    /// The error of the operating system. Then none of them counts as recorded, but for those that are read back at the next
    /// start.
    pub(super) fn append(&mut self, events: &[Event]) -> io::Result<()> {
        let is_full = self.open.as_ref().is_none_or(|(_, _, length)| *length >= self.segment_bytes);
        if is_full {
            self.begin_segment()?;
        }
        let is_empty = self.open.as_ref().is_some_and(|(_, _, length)| *length == 0);
        let checkpoint = is_empty.then(|| self.checkpoint());
        let (mut number, mut mac, mut bytes) = (self.head.last, self.head.mac, Vec::new());
        for event in checkpoint.iter().chain(events) {
            number += 1;
            let record = Record { n: number, event: event.clone() };
            mac = chain::seal(&self.key, Purpose::Record, mac, &record, &mut bytes)?;
        }
        self.write(&bytes)?;
        kill("audited");
        let head = Head { last: number, mac, ..self.head };
        head.write(&self.directory, &self.key)?;
        if let Some((_, _, length)) = &mut self.open {
            *length += bytes.len() as u64;
        }
        (self.head, self.fault) = (head, None);
        if is_full {
            self.retire()?;
        }
        Ok(())
    }

    fn checkpoint(&self) -> Event {
        let event = Event::new(CHECKPOINT).text(BEFORE, &self.head.mac.to_string());
        match &self.fault {
            Some(fault) => event.text("fault", fault),
            None => event,
        }
    }

    /// Begins a new file.
    fn begin_segment(&mut self) -> io::Result<()> {
        let mut segment = Segment::new(&self.directory, self.head.last + 1);
        while fs::symlink_metadata(&segment.path).is_ok_and(|there| there.len() > 0) {
            self.head.last += 1;
            segment = Segment::new(&self.directory, self.head.last + 1);
        }
        let path = segment.path.clone();
        let file = perform(|| open_private(&path), |_| Operation::Create(path.clone()));
        let file = file.map_err(io_error::at(&path))?;
        atomic_file::sync_directory(&self.directory).map_err(io_error::at(&self.directory))?;
        self.open = Some((segment, file, 0));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some((Segment { path, .. }, file, length)) = &mut self.open else { return Ok(()) };
        append(file, path, *length, bytes, "half-audited").map_err(io_error::at(path))
    }

    /// Removes the oldest files. The head says first that they may be gone.
    fn retire(&mut self) -> io::Result<()> {
        let segments = Segment::list(&self.directory)?;
        let (old, kept) = segments.split_at(segments.len().saturating_sub(SEGMENTS));
        let Some(first) = kept.first().map(|segment| segment.first).filter(|_| !old.is_empty()) else {
            return Ok(());
        };
        let head = Head { first, ..self.head };
        head.write(&self.directory, &self.key)?;
        self.head = head;
        kill("audit-retiring");
        old.iter()
            .try_for_each(|segment| atomic_file::remove(&segment.path).map_err(io_error::at(&segment.path)))
    }

    #[cfg(test)]
    pub(super) fn with_segments_of(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }
}
