//! Tests of signatures and of whole gateways.

use std::sync::Arc;
use std::time::Duration;

use harmony_host::{HostOptions, RunningGateway};
use provider_api::testkit::TurnedClock;
use provider_api::{ErrorKind, Pending, Provider};
use provider_git::GitFactory;

use crate::repository::{TestRepository, key};
use crate::world::build;

const HELLO: &str = "[pipelines.hello]\nnetworks = []\nendpoints = [\"hello\"]\nbackends = [\"hello\"]\n\
                     [endpoints.hello]\nservice = \"echo\"\noptions.path_prefix = \"/hello\"\n\
                     [backends.hello]\nservice = \"echo\"\n";

fn provider(repository: &TestRepository, more_settings: &str) -> Arc<dyn Provider> {
    let settings = format!("allowed_signers = [{:?}]{more_settings}", repository.allowed());
    build(repository, &"git".parse().unwrap(), &TurnedClock::new(), &settings).unwrap()
}

async fn pending_count(provider: &dyn Provider) -> provider_api::Result<usize> {
    match provider.source().unwrap().pending().await? {
        Pending::Changes(heads) => Ok(heads.len()),
        Pending::Unchanged => Ok(0),
    }
}

// Neither a commit without an allowed signature nor any commit after it is a change.
#[tokio::test]
async fn unsigned_commit_blocks_later_commits() {
    for forger in [None, Some(key(2))] {
        let repository = TestRepository::new();
        repository.commit("edge/pipelines/good.toml", HELLO, Some(&repository.key));
        let bad = repository.commit("edge/pipelines/bad.toml", HELLO, forger.as_ref());
        repository.commit("edge/pipelines/behind.toml", HELLO, Some(&repository.key));
        let provider = provider(&repository, "");
        let source = provider.source().unwrap();
        let Pending::Changes(heads) = source.pending().await.unwrap() else { panic!("a list") };
        assert_eq!(heads.len(), 1, "the list ends before the bad commit");
        source.report(&heads[0].id, &provider_api::ChangeStatus::Received).await.unwrap();
        let refused = source.pending().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(refused.to_string().contains(&bad), "{refused}");
        // A fetch by its id fails as well.
        let id = heads[0].id.as_str().replace(&heads[0].id.as_str()[..40], &bad);
        assert!(source.fetch(&provider_api::ChangeId::new(id).unwrap()).await.is_err());
    }
}

#[tokio::test]
async fn unsigned_head_resolves_nothing() {
    let repository = TestRepository::new();
    let ingress = "[pipelines.api.mesh.ingress.api]\nurls = [\"https://partner.example\"]\n";
    repository.commit("partner/pipelines/api.toml", ingress, Some(&repository.key));
    let provider = provider(&repository, "");
    let reference = "git.partner.ingress.name.api".parse().unwrap();
    let found = provider.resolver().unwrap().resolve(&reference).await.unwrap();
    assert_eq!(found.resource.urls, ["https://partner.example"]);
    repository.commit("partner/pipelines/api.toml", &ingress.replace("partner.", "evil."), None);
    let refused = provider.resolver().unwrap().resolve(&reference).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn commits_up_to_after_are_not_changes() {
    let repository = TestRepository::new();
    let first = repository.commit("edge/pipelines/first.toml", HELLO, Some(&repository.key));
    repository.commit("edge/pipelines/second.toml", HELLO, Some(&repository.key));
    repository.commit("other/pipelines/theirs.toml", HELLO, Some(&repository.key));
    assert_eq!(pending_count(&*provider(&repository, "")).await.unwrap(), 2);
    assert_eq!(pending_count(&*provider(&repository, &format!(", after = {first:?}"))).await.unwrap(), 1);
}

#[tokio::test]
async fn gateway_applies_each_commit_once() {
    let repository = TestRepository::new();
    repository.commit("edge/pipelines/hello.toml", HELLO, Some(&repository.key));
    repository.commit("edge/transforms/t.json", "[{\"operation\": \"shift\"}]", Some(&repository.key));
    let config = format!(
        "[proxy]\nid = \"edge\"\nprimary_provider = \"git\"\n[provider.git]\napi = \"file://{}\"\nteam = \"edge\"\n\
         allowed_signers = [{:?}]\npoll_interval_secs = 0\n",
        repository.path().display(),
        repository.allowed()
    );
    let path = repository.root().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let start = async || {
        let mut registry = harmony_host::registry();
        registry.register(GitFactory);
        let mut options = HostOptions::new(&path, registry);
        options.state_dir = repository.root().join("state");
        RunningGateway::start(options).await.expect("the gateway starts")
    };
    let host = start().await;
    let report = host.sync().await.unwrap();
    assert!(report.error.is_none(), "{report:?}");
    assert_eq!(report.applied.len(), 2, "{report:?}");
    assert_eq!(host.snapshot().pipelines().count(), 1);
    assert!(repository.root().join("transforms/t.json").exists());
    host.shut_down(Duration::from_secs(5)).await;

    let host = start().await;
    let report = host.sync().await.unwrap();
    assert!(report.error.is_none() && report.applied.is_empty(), "{report:?}");
    repository.commit(
        "edge/pipelines/bad.toml",
        "[pipelines.bad]\nnetworks = [\"nowhere\"]\n",
        Some(&repository.key),
    );
    let report = host.sync().await.unwrap();
    assert_eq!(report.rejected.len(), 1, "{report:?}");
    // The host reports a verdict asynchronously, after the change is settled.
    let log = repository.root().join("state/git-edge-git.log");
    let rejected = async || {
        loop {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            if log.contains("rejected (validate)") && log.contains("nowhere") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), rejected()).await.expect("the log has the problems");
}

/// Runs a program in `directory`. Returns `None` when it is not installed.
fn run(directory: &std::path::Path, program: &str, arguments: &[&str]) -> Option<()> {
    let mut command = std::process::Command::new(program);
    command.current_dir(directory).args(arguments).env("HOME", directory).env_remove("GIT_DIR");
    let output = command.output().ok()?;
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

#[tokio::test]
async fn commit_signed_by_git_is_a_change() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    std::fs::create_dir_all(work.join("edge/pipelines")).unwrap();
    std::fs::write(work.join("edge/pipelines/hello.toml"), HELLO).unwrap();
    let git = |arguments: &str| run(&work, "git", &arguments.split(' ').collect::<Vec<_>>());
    let keys = run(root.path(), "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", "key"]);
    let repository = keys.and_then(|()| {
        git("init -q -b main")?;
        git("config user.name Me")?;
        git("config user.email me@example.com")?;
        git("config gpg.format ssh")?;
        git("config user.signingkey ../key.pub")?;
        git("add .")?;
        git("commit -q -S -m one")
    });
    if repository.is_none() {
        eprintln!("SKIPPED: git or ssh-keygen is not installed");
        return;
    }
    let public = std::fs::read_to_string(root.path().join("key.pub")).unwrap();
    let allowed = format!("me@example.com {}", public.trim());
    let repository = TestRepository::existing(root, "work");
    let settings = format!("allowed_signers = [{allowed:?}]");
    let provider = build(&repository, &"git".parse().unwrap(), &TurnedClock::new(), &settings).unwrap();
    assert_eq!(pending_count(&*provider).await.unwrap(), 1);
}
