//! The file of the history: restarts, cuts, damage, rewrites.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::history::entry::Delta;
use crate::history::state::{GENERATIONS, REJECTED};
use crate::history::{Cause, FileRef, Outcome};
use crate::storage::digest::{Digest, full};

type Texts = BTreeMap<String, String>;

fn file(text: &str) -> FileRef {
    FileRef {
        digest: full(Digest::of(text.as_bytes())),
        is_pem: false,
        is_overlaid: false,
        remote: Vec::new(),
    }
}

/// Records `now` as the next generation, as the store does.
fn record(log: &mut Log, state: &mut State, now: &Texts) {
    let generation = state.newest.as_ref().map_or(1, |(newest, _)| newest + 1);
    let names: std::collections::BTreeSet<&String> = state.files.keys().chain(now.keys()).collect();
    let deltas = names.into_iter().map(|name| Delta {
        name: name.clone(),
        before: state.files.get(name).cloned(),
        after: now.get(name).map(|text| file(text)),
    });
    let mut files: Vec<Delta> = deltas.filter(|delta| delta.before != delta.after).collect();
    let is_first = !state.has_files;
    let mut batch = Batch::default();
    for after in files.iter().filter_map(|delta| delta.after.as_ref().map(|after| (delta, after))) {
        if !log.has(&after.1.digest) {
            batch.text(&after.1.digest, &now[&after.0.name]).unwrap();
        }
    }
    if is_first {
        for delta in std::mem::take(&mut files) {
            state.files.extend(delta.after.map(|after| (delta.name, after)));
        }
        state.has_files = true;
        batch.files(state).unwrap();
    }
    let entry = entry(state.last_id + 1, Outcome::Applied { generation }, files);
    batch.entry(&state.add(entry)).unwrap();
    log.append(batch).unwrap();
}

fn entry(id: u64, outcome: Outcome, files: Vec<Delta>) -> Entry {
    Entry {
        id,
        at: Timestamp::UNIX_EPOCH,
        cause: Cause::Edit,
        users: Vec::new(),
        digest: "d".to_owned(),
        outcome,
        changed: Vec::new(),
        files,
    }
}

/// Asserts that each generation that is recorded has its files and their texts.
fn check(log: &Log, state: &State, generations: &[Texts]) {
    for (at, expected) in generations.iter().enumerate() {
        let Some(files) = state.files_of(at as u64 + 1) else { continue };
        let texts: Texts =
            files.iter().map(|(name, file)| (name.clone(), log.text(&file.digest).unwrap())).collect();
        assert_eq!(&texts, expected, "generation {}", at + 1);
    }
}

fn texts(files: &[(&str, &str)]) -> Texts {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn three() -> Vec<Texts> {
    vec![
        texts(&[("a", "1"), ("b", "1")]),
        texts(&[("a", "2"), ("b", "1"), ("c", "1")]),
        texts(&[("a", "1"), ("c", "3")]),
    ]
}

fn written(directory: &Path, generations: &[Texts]) -> (Log, State) {
    let (mut log, mut state) = Log::open(directory).unwrap();
    generations.iter().for_each(|texts| record(&mut log, &mut state, texts));
    (log, state)
}

#[test]
fn generations_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let all = three();
    let (log, state) = written(dir.path(), &all);
    check(&log, &state, &all);
    drop(log);
    let (mut log, mut again) = Log::open(dir.path()).unwrap();
    check(&log, &again, &all);
    assert_eq!((&again.files, &again.newest, again.last_id), (&state.files, &state.newest, 3));
    let mut all = all;
    all.push(texts(&[("d", "1")]));
    record(&mut log, &mut again, &all[3]);
    check(&log, &again, &all);
    // The text of three files is there once.
    let file = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert_eq!(file.matches("\"text\":{").count(), 3, "{file}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A kill in the middle of the first append leaves no entry without its files.
#[test]
fn a_cut_beginning_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let all = three();
    drop(written(dir.path(), &all[..1]));
    let path = dir.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        fs::write(&path, &whole[..at]).unwrap();
        let (mut log, mut state) = Log::open(dir.path()).unwrap();
        assert_eq!(state.entries.len(), 0, "cut at {at}");
        record(&mut log, &mut state, &all[0]);
        drop(log);
        let (log, state) = Log::open(dir.path()).unwrap();
        check(&log, &state, &all);
        assert!(state.files_of(1).is_some(), "cut at {at}");
    }
}

/// A kill in the middle of an append leaves the generations before it, and the next one is recorded behind them.
#[test]
fn a_cut_end_loses_what_was_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let all = three();
    let (log, _) = written(dir.path(), &all[..2]);
    let before = log.length as usize;
    drop(log);
    written(dir.path(), &all[2..]);
    let path = dir.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    for at in before..whole.len() {
        fs::write(&path, &whole[..at]).unwrap();
        let (mut log, mut state) = Log::open(dir.path()).unwrap();
        assert_eq!(state.newest.as_ref().map(|(newest, _)| *newest), Some(2), "cut at {at}");
        check(&log, &state, &all);
        record(&mut log, &mut state, &all[2]);
        drop(log);
        let (log, state) = Log::open(dir.path()).unwrap();
        assert_eq!(state.newest.as_ref().map(|(newest, _)| *newest), Some(3), "cut at {at}");
        check(&log, &state, &all);
    }
}

/// A damaged line ends what is known, and nothing wrong is read.
#[test]
fn damage_is_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let all = three();
    drop(written(dir.path(), &all));
    let path = dir.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let (log, state) = Log::open(dir.path()).unwrap();
        check(&log, &state, &all);
        let newest = state.newest.as_ref().map_or(0, |(newest, _)| *newest);
        // The damaged line may be the one of the newest entry.
        assert!(newest >= 2, "{at}: no number is used twice: {newest}");
    }
    assert!(path.with_extension("damaged").exists());
}

#[test]
fn a_rewrite_keeps_what_generations_need() {
    let dir = tempfile::tempdir().unwrap();
    let all = three();
    let (mut log, mut state) = written(dir.path(), &all);
    assert!(state.forget_oldest());
    log.rewrite(&state, &HashMap::new()).unwrap();
    check(&log, &state, &all);
    assert_eq!((state.files_of(1), state.files_of(2).is_some()), (None, true));
    let (log, again) = Log::open(dir.path()).unwrap();
    check(&log, &again, &all);
    assert!(again.files_of(1).is_none() && again.files_of(2).is_some());
}

#[test]
fn refused_attempts_drive_out_no_generation() {
    let dir = tempfile::tempdir().unwrap();
    let (_log, mut state) = written(dir.path(), &three());
    let rejected =
        || Outcome::Rejected { after: 3, class: "parse".to_owned(), problem: "p".to_owned(), problems: 1 };
    for id in 0..REJECTED as u64 + 50 {
        state.add(entry(10 + id, rejected(), Vec::new()));
        state.retire();
    }
    assert_eq!(state.entries.iter().filter(|entry| entry.generation().is_some()).count(), 3);
    assert_eq!(state.entries.len(), 3 + REJECTED);
    for generation in 0..GENERATIONS as u64 {
        state.add(entry(1_000 + generation, Outcome::Applied { generation: 4 + generation }, Vec::new()));
        state.retire();
    }
    assert_eq!(state.entries.len(), GENERATIONS + REJECTED);
    assert!(state.files_of(3).is_none() && state.files_of(4).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any sequence of configurations, with rewrites and restarts between them.
    #[test]
    fn every_recorded_generation_is_what_it_was(
        steps in proptest::collection::vec(
            (proptest::collection::btree_map("[a-f]", "[0-9]{1,3}", 0..6), 0..10u8), 1..30,
        ),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, mut state) = Log::open(dir.path()).unwrap();
        let mut all = Vec::new();
        for (texts, what) in steps {
            record(&mut log, &mut state, &texts);
            all.push(texts);
            match what {
                0 => {
                    state.forget_oldest();
                    log.rewrite(&state, &HashMap::new()).unwrap();
                }
                1 => (log, state) = Log::open(dir.path()).unwrap(),
                _ => {}
            }
            check(&log, &state, &all);
            prop_assert!(state.files_of(all.len() as u64).is_some());
        }
    }
}
