//! Changes of an audit log, and what a kill leaves of one.

use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::audit::log::Log;
use crate::audit::{Actor, Event, Place};

/// A log in a temporary directory.
struct Site {
    _dir: TempDir,
    place: Place,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), Path::new("/c/config.toml"), None);
        Self { _dir: dir, place }
    }

    /// Returns a log with a few files of a few records each.
    fn written(records: u64, segment_bytes: u64) -> Self {
        let site = Self::new();
        let mut log = Log::open(&site.place).unwrap().with_segments_of(segment_bytes);
        for number in 0..records {
            log.append(&[event(number)]).unwrap();
        }
        site
    }

    fn key(&self) -> Key {
        Key::read(&self.place.key()).unwrap()
    }

    fn verify(&self) -> Report {
        verify(&self.place.directory, &self.key()).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        Segment::list(&self.place.directory).unwrap().into_iter().map(|segment| segment.path).collect()
    }

    fn head(&self) -> PathBuf {
        self.place.directory.join("audit.head")
    }

    /// Asserts that `bytes` in place of the file at `path` are found. Restores the file.
    fn is_found(&self, path: &Path, bytes: &[u8], what: &str) {
        let whole = fs::read(path).unwrap();
        fs::write(path, bytes).unwrap();
        let report = self.verify();
        assert!(!report.faults.is_empty(), "{what} of {} is not found: {report:?}", path.display());
        fs::write(path, whole).unwrap();
    }
}

fn event(number: u64) -> Event {
    Event::new("apply")
        .by(&Actor::Owner { users: vec!["alice".to_owned()] })
        .verdict("applied")
        .texts("changed", &["added pipeline hello"])
        .number("generation", number)
}

#[test]
fn an_intact_log_verifies() {
    let site = Site::written(40, 2_000);
    assert!(site.files().len() > 3, "{:?}", site.files());
    let report = site.verify();
    assert_eq!(report.faults, Vec::new());
    assert_eq!((report.first, report.behind_head, report.unfinished), (Some(1), 0, false));
    // Each file has a checkpoint.
    assert_eq!(report.last, Some(40 + site.files().len() as u64));
}

#[test]
fn each_change_of_a_byte_is_found() {
    let site = Site::written(6, 900);
    assert!(site.files().len() > 1);
    for path in site.files().into_iter().chain([site.head()]) {
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for mask in [1, 0x20, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= mask;
                site.is_found(&path, &changed, &format!("{mask} at byte {at}"));
            }
            let mut shorter = whole.clone();
            shorter.remove(at);
            site.is_found(&path, &shorter, &format!("the removal of byte {at}"));
            let mut longer = whole.clone();
            longer.insert(at, b' ');
            site.is_found(&path, &longer, &format!("a byte at {at}"));
        }
    }
    assert_eq!(site.verify().faults, Vec::new());
}

#[test]
fn each_removed_moved_or_repeated_line_is_found() {
    let site = Site::written(8, 1_200);
    for path in site.files() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for at in 0..lines.len() {
            let without: String = [&lines[..at], &lines[at + 1..]].concat().concat();
            site.is_found(&path, without.as_bytes(), &format!("the removal of line {at}"));
            for to in 0..lines.len() {
                let mut moved = lines.clone();
                let line = moved.remove(at);
                moved.insert(to, line);
                if to != at {
                    site.is_found(&path, moved.concat().as_bytes(), &format!("line {at} at {to}"));
                }
                let mut repeated = lines.clone();
                repeated.insert(to, lines[at]);
                site.is_found(&path, repeated.concat().as_bytes(), &format!("line {at} again at {to}"));
            }
        }
    }
}

#[test]
fn each_cut_is_found() {
    let site = Site::written(8, 1_200);
    for path in site.files() {
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            site.is_found(&path, &whole[..at], &format!("a cut at {at}"));
        }
        // The whole file.
        fs::remove_file(&path).unwrap();
        assert!(!site.verify().faults.is_empty(), "{}", path.display());
        fs::write(&path, whole).unwrap();
    }
    fs::remove_file(site.head()).unwrap();
    assert!(!site.verify().faults.is_empty());
}

/// Records of another log with another key, and of the same key in another log.
#[test]
fn records_of_other_logs_are_found() {
    let (site, other) = (Site::written(3, 4_000), Site::written(3, 4_000));
    let path = &site.files()[0];
    site.is_found(path, &fs::read(&other.files()[0]).unwrap(), "another log");
    let twin = Site::new();
    fs::create_dir_all(&twin.place.directory).unwrap();
    fs::copy(site.place.key(), twin.place.key()).unwrap();
    let mut log = Log::open(&twin.place).unwrap();
    (7..10).for_each(|number| log.append(&[event(number)]).unwrap());
    site.is_found(path, &fs::read(&twin.files()[0]).unwrap(), "another log with the same key");
}

/// A kill behind the append and in front of the head leaves records that verify, and perhaps a part of one.
#[test]
fn a_kill_before_the_head_is_no_fault() {
    let site = Site::written(2, 4_000);
    let head = fs::read(site.head()).unwrap();
    let before = fs::read(&site.files()[0]).unwrap().len();
    let mut log = Log::open(&site.place).unwrap();
    log.append(&[event(7), event(8)]).unwrap();
    drop(log);
    fs::write(site.head(), head).unwrap();
    let path = site.files().remove(0);
    let whole = fs::read(&path).unwrap();
    let report = site.verify();
    assert_eq!((report.faults, report.behind_head), (Vec::new(), 2));
    for at in before..whole.len() {
        fs::write(&path, &whole[..at]).unwrap();
        let report = site.verify();
        assert_eq!(report.faults, Vec::new(), "cut at {at}");
        assert!(report.behind_head <= 1, "cut at {at}");
        // A record behind the head that was changed is none that a kill leaves.
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let is_last_end = at + 1 == whole.len();
        fs::write(&path, &changed).unwrap();
        assert_eq!(site.verify().faults.is_empty(), is_last_end, "changed at {at}");
    }
    // The next start cuts off the rest, and goes on.
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    Log::open(&site.place).unwrap().append(&[event(9)]).unwrap();
    let report = site.verify();
    assert_eq!((report.faults, report.last, report.unfinished), (Vec::new(), Some(5), false));
}

/// The gateway goes on behind a log that was changed, and the change stays visible.
#[test]
fn a_fault_outlives_restarts() {
    for damage in ["edit", "cut", "head", "all", "segment"] {
        let site = Site::written(6, 900);
        let path = site.files().pop().unwrap();
        let whole = fs::read(&path).unwrap();
        match damage {
            "edit" => fs::write(&path, [&whole[..9], b"X", &whole[10..]].concat()).unwrap(),
            "cut" => fs::write(&path, &whole[..whole.len() - 2]).unwrap(),
            "head" => fs::write(site.head(), "{}").unwrap(),
            "segment" => fs::remove_file(&path).unwrap(),
            _ => site.files().iter().for_each(|path| fs::remove_file(path).unwrap()),
        }
        for number in 0..2 {
            Log::open(&site.place).unwrap().append(&[event(number)]).unwrap();
            let report = site.verify();
            assert!(!report.faults.is_empty(), "{damage}");
            assert!(report.last.unwrap() > 6, "{damage}: no number is used twice");
        }
        let last = read(&site.place.directory, 1).unwrap();
        assert_eq!(last[0]["generation"], 1, "{damage}: {last:?}");
    }
}

/// The retention leaves a checkpoint, and the head says where the log begins.
#[test]
fn old_files_are_retired() {
    let site = Site::written(60, 900);
    let files = site.files();
    assert_eq!(files.len(), 8);
    let report = site.verify();
    assert_eq!(report.faults, Vec::new());
    assert!(report.first.unwrap() > 1);
    fs::remove_file(&files[0]).unwrap();
    assert!(!site.verify().faults.is_empty(), "one file less than the head says");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any replacement of any range by any bytes.
    #[test]
    fn any_other_text_is_found(
        start in 0..4_000usize, length in 0..200usize, with in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let site = Site::written(10, 1_500);
        for path in site.files() {
            let whole = fs::read(&path).unwrap();
            let start = start % whole.len();
            let end = (start + length).min(whole.len());
            let changed = [&whole[..start], &with, &whole[end..]].concat();
            if changed != whole {
                // Text behind the last line looks like an unfinished record, which no start has to believe.
                let is_tail = changed.starts_with(&whole) && !changed[whole.len()..].contains(&b'\n');
                fs::write(&path, &changed).unwrap();
                let report = site.verify();
                let is_last = Some(&path) == site.files().last();
                prop_assert_eq!(report.faults.is_empty(), is_tail && is_last);
                prop_assert!(!is_tail || !is_last || report.unfinished);
                fs::write(&path, whole).unwrap();
            }
        }
    }

    /// Two or more segments in another order.
    #[test]
    fn exchanged_files_are_found(one in 0..8usize, other in 0..8usize) {
        let site = Site::written(20, 900);
        let files = site.files();
        let (one, other) = (&files[one % files.len()], &files[other % files.len()]);
        prop_assume!(one != other);
        let (first, second) = (fs::read(one).unwrap(), fs::read(other).unwrap());
        fs::write(one, second).unwrap();
        fs::write(other, first).unwrap();
        prop_assert!(!site.verify().faults.is_empty());
    }
}
