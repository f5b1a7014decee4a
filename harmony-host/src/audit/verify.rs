//! Verification of an audit log: every edit, removal, insertion, move and cut of its records.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::audit::chain::{self, BEFORE, CHECKPOINT, Mac, Purpose, Record};
use crate::audit::head::{Found, Head};
use crate::audit::key::Key;
use crate::audit::segments::Segment;
use crate::storage::io_error;

/// A place at which a log is not what the gateway wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// The name of the file.
    pub(crate) file: String,
    /// The line, counted from 1; 0 for the file as a whole.
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// The result of a verification.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The number of records that verify.
    pub(crate) records: u64,
    /// The number of the oldest record.
    pub(crate) first: Option<u64>,
    /// The number of the newest record, and its hash: noted elsewhere, they prove later that nothing was taken back.
    pub(crate) last: Option<u64>,
    pub(crate) last_mac: Option<String>,
    /// The number of intact records behind the head: the process ended, or has just written them.
    pub(crate) behind_head: u64,
    /// Set if an unfinished record is at the end, which the next start cuts off.
    pub(crate) unfinished: bool,
    pub(crate) faults: Vec<Fault>,
}

/// The result of reading one file.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The number and the hash of the last record that verifies.
    pub(super) last: Option<(u64, Mac)>,
    pub(super) records: u64,
    /// The bytes of the lines that verify.
    pub(super) intact: u64,
    /// Set if there is text behind the last line.
    pub(super) unfinished: bool,
    pub(super) fault: Option<(usize, String)>,
}

/// Reads the lines of a file up to the first that does not verify. `before` is the last record of the file before, where
/// that is known.
pub(super) fn walk(
    key: &Key,
    segment: &Segment,
    bytes: &[u8],
    before: Option<(u64, Mac)>,
    mut visit: impl FnMut(&Record, Mac),
) -> Walk {
    let mut walk = Walk::default();
    let mut expected = before;
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let Some(text) = line.strip_suffix(b"\n") else {
            walk.unfinished = true;
            break;
        };
        match verify_line(key, segment, text, at == 0, expected) {
            Ok((record, mac)) => {
                visit(&record, mac);
                (walk.last, expected) = (Some((record.n, mac)), Some((record.n, mac)));
                walk.intact += line.len() as u64;
                walk.records += 1;
            }
            Err(message) => {
                walk.fault = Some((at + 1, message));
                break;
            }
        }
    }
    walk
}

/// Verifies one line behind the record `before`.
fn verify_line(
    key: &Key,
    segment: &Segment,
    line: &[u8],
    is_first: bool,
    before: Option<(u64, Mac)>,
) -> Result<(Record, Mac), String> {
    let (body, mac) = chain::split(line).ok_or("this is no record of an audit log")?;
    let record: Option<Record> = chain::parse(body);
    let record = record.ok_or("this is no record of an audit log")?;
    let changed = || {
        format!(
            "this record (number {}) was changed, or the one before it is not the one that was there; or the key is another",
            record.n
        )
    };
    let behind = match is_first {
        false => before.map(|(_, mac)| mac).unwrap_or(Mac::NONE),
        // What the checkpoint says of the record before is covered by its own hash.
        true => {
            let is_checkpoint = record.event.name() == CHECKPOINT && record.n == segment.first;
            let noted = record.event.detail(BEFORE).and_then(Mac::parse).filter(|_| is_checkpoint);
            noted.ok_or("the file does not begin with its checkpoint")?
        }
    };
    if chain::mac(key, Purpose::Record, behind, body.as_bytes()) != mac {
        return Err(changed());
    }
    if let Some((number, known)) = before
        && (record.n != number + 1 || behind != known)
    {
        return Err(format!("the records between number {number} and number {} are missing", record.n));
    }
    Ok((record, mac))
}

/// Verifies the log in `directory`.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn verify(directory: &Path, key: &Key) -> io::Result<Report> {
    let (head, segments) = (Head::read(directory, key)?, Segment::list(directory)?);
    let mut report = Report {
        records: 0,
        first: segments.first().map(|segment| segment.first),
        last: None,
        last_mac: None,
        behind_head: 0,
        unfinished: false,
        faults: Vec::new(),
    };
    let (mut before, mut at_head) = (None, None);
    let marked = if let Found::Intact(head) = head { Some(head.last) } else { None };
    for (at, segment) in segments.iter().enumerate() {
        let bytes = fs::read(&segment.path).map_err(io_error::at(&segment.path))?;
        let mut at_mark = |record: &Record, mac| {
            if Some(record.n) == marked {
                at_head = Some(mac);
            }
        };
        let mut walked = walk(key, segment, &bytes, before, &mut at_mark);
        if walked.records == 0 && before.is_some() && walked.fault.is_some() {
            // A file that does not follow the one before may be whole in itself: the gateway has gone on behind a fault.
            let alone = walk(key, segment, &bytes, None, &mut at_mark);
            walked = Walk { fault: walked.fault, ..alone };
        }
        let walk = walked;
        report.records += walk.records;
        let is_last = at + 1 == segments.len();
        let fault = walk.fault.or_else(|| {
            let cut = "the file does not end with a whole record";
            (!is_last && (walk.unfinished || bytes.is_empty())).then(|| (0, cut.to_owned()))
        });
        before = walk.last.or(before.filter(|_| fault.is_none()));
        if let Some((number, mac)) = walk.last {
            (report.last, report.last_mac) = (Some(number), Some(mac.to_string()));
        }
        report.unfinished = is_last && walk.unfinished;
        report.faults.extend(fault.map(|(line, message)| Fault { file: name(&segment.path), line, message }));
    }
    compare_with_head(head, at_head, &mut report);
    Ok(report)
}

/// Compares the records with the head.
fn compare_with_head(head: Found, at_head: Option<Mac>, report: &mut Report) {
    let fault = |message: String| Fault { file: "audit.head".to_owned(), line: 0, message };
    let Head { first, last, mac } = match head {
        Found::Intact(head) => head,
        Found::Missing => {
            let message = "there is no head, so it is not known how long the log must be".to_owned();
            return report.faults.push(fault(message));
        }
        Found::Damaged => {
            let message = "the head was changed, or the key is another".to_owned();
            return report.faults.push(fault(message));
        }
    };
    if last > 0 && report.first.is_none_or(|oldest| oldest > first) {
        let until = report.first.map_or(last, |oldest| oldest - 1);
        report.faults.push(fault(format!("the records {first} to {until} are missing at the beginning")));
    }
    match report.last {
        Some(newest) if newest >= last => {
            report.behind_head = newest - last;
            if last > 0 && at_head != Some(mac) && report.faults.is_empty() {
                report.faults.push(fault(format!("the record {last} is not the one that was written")));
            }
        }
        newest if last > newest.unwrap_or(0) && report.faults.is_empty() => {
            let from = newest.unwrap_or(0) + 1;
            report.faults.push(fault(format!("the records {from} to {last} are missing at the end")));
        }
        _ => {}
    }
}

/// Returns the last `count` lines of the log in `directory` as JSON, oldest first, whether they verify or not.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read(directory: &Path, count: usize) -> io::Result<Vec<serde_json::Value>> {
    let mut lines = Vec::new();
    for segment in Segment::list(directory)?.into_iter().rev() {
        let bytes = fs::read(&segment.path).map_err(io_error::at(&segment.path))?;
        let rows = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).rev();
        lines.extend(
            rows.take(count - lines.len()).map(|line| serde_json::from_slice(line).unwrap_or_default()),
        );
        if lines.len() == count {
            break;
        }
    }
    lines.reverse();
    Ok(lines)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
