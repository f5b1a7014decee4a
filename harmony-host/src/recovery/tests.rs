//! Tests of the recovery.

use std::fs;
use std::path::Path;

use provider_api::{ChangeHead, ChangeId, DocumentKind};

use super::*;

fn gateway(directory: &Path) -> PathBuf {
    fs::create_dir_all(directory).unwrap();
    let config = directory.join("config.toml");
    fs::write(&config, "[proxy]\nid = \"edge\"\nprimary_provider = \"local\"\n").unwrap();
    config
}

#[test]
fn second_gateway_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (config, state) = (gateway(dir.path()), dir.path().join("state"));
    let first = recover_once(&config, &state).unwrap();
    let writing = dir.path().join(".harmony-x.tmp");
    fs::write(&writing, "half").unwrap();
    assert!(is_locked(&recover_once(&config, &state).unwrap_err()));
    assert!(writing.exists());
    drop(first);
    recover_once(&config, &state).unwrap();
    assert!(!writing.exists());
}

#[test]
fn locked_journal_is_not_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let (config, state) = (gateway(dir.path()), dir.path().join("state"));
    let journal = Journal::open(&journal_directory(&state, "edge")).unwrap();
    let source = crate::providers::SourceId { provider: "runbeam".parse().unwrap(), store: "one".into() };
    let head =
        ChangeHead { id: ChangeId::new("01A").unwrap(), kind: DocumentKind::Pipeline, created_at: None };
    let sequence = journal.fetching(&source, &[head]).unwrap()[0].sequence;
    let before = crate::journal::Before {
        name: "a.toml".to_owned(),
        overlay: None,
        text: None,
        written: format!("{:#}", Digest::of(b"theirs")),
    };
    journal.staged(&[(sequence, vec![before])]).unwrap();
    fs::write(dir.path().join("a.toml"), "theirs").unwrap();
    let second = recover_once(&config, &state).unwrap();
    assert!(second.journal.is_none() && second.journal_error.as_ref().is_some_and(is_locked));
    assert!(dir.path().join("a.toml").exists());
    drop((journal, second));
    assert!(recover_once(&config, &state).unwrap().journal.is_some());
    assert!(!dir.path().join("a.toml").exists());
}

#[tokio::test(start_paused = true)]
async fn start_waits_for_the_other_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let (config, state) = (gateway(dir.path()), dir.path().join("state"));
    let first = recover(&config, &state).await.unwrap();
    let rejection = recover(&config, &state).await.unwrap_err();
    assert_eq!(rejection.class, RejectionClass::Build);
    let problem = rejection.problems.errors().next().unwrap().to_string();
    assert!(problem.contains("another gateway runs on this configuration"), "{problem}");
    let release = async {
        tokio::time::sleep(TAKE_TIMEOUT / 2).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(recover(&config, &state), release);
    second.unwrap();
}
