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
fn a_second_gateway_on_a_configuration_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (config, state) = (gateway(dir.path()), dir.path().join("state"));
    let first = recover(&config, &state).unwrap();
    let writing = dir.path().join(".harmony-x.tmp");
    fs::write(&writing, "half").unwrap();
    assert!(is_taken(&recover(&config, &state).unwrap_err()));
    assert!(writing.exists());
    drop(first);
    recover(&config, &state).unwrap();
    assert!(!writing.exists());
}

#[test]
fn a_journal_that_another_gateway_works_with_is_not_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let (config, state) = (gateway(dir.path()), dir.path().join("state"));
    let journal = Journal::open(&journal_directory(&state, "edge")).unwrap();
    let head =
        ChangeHead { id: ChangeId::new("01A").unwrap(), kind: DocumentKind::Pipeline, created_at: None };
    let sequence = journal.fetching(&"runbeam".parse().unwrap(), &head).unwrap().sequence;
    let before = crate::journal::Before {
        name: "a.toml".to_owned(),
        text: None,
        written: format!("{:#}", Digest::of(b"theirs")),
    };
    journal.staged(sequence, vec![before]).unwrap();
    fs::write(dir.path().join("a.toml"), "theirs").unwrap();
    let second = recover(&config, &state).unwrap();
    assert!(second.journal.is_none() && second.unopened.as_ref().is_some_and(is_taken));
    assert!(dir.path().join("a.toml").exists());
    drop((journal, second));
    assert!(recover(&config, &state).unwrap().journal.is_some());
    assert!(!dir.path().join("a.toml").exists());
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_another_gateway_to_let_go_and_then_says_that_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (config, state) = (gateway(dir.path()), dir.path().join("state"));
    let first = recovered(&config, &state).await.unwrap();
    let refusal = recovered(&config, &state).await.unwrap_err();
    assert_eq!(refusal.class, RejectionClass::Build);
    let problem = refusal.problems.errors().next().unwrap().to_string();
    assert!(problem.contains("another gateway runs on this configuration"), "{problem}");
    let letting_go = async {
        tokio::time::sleep(TAKE_TIMEOUT / 2).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(recovered(&config, &state), letting_go);
    second.unwrap();
}
