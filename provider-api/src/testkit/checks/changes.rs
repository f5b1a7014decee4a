//! Checks of the source of changes: the list, and the changes themselves.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::testkit::call::document;
use crate::testkit::fixture::{build_provider, require_ability, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed};
use crate::testkit::{Exchange, Subject, Trouble, World, at_most};
use crate::{
    Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, ErrorKind, Pending,
    Provider, Result,
};

pub(super) fn source(provider: &dyn Provider) -> Result<&dyn ConfigSource, Stop> {
    require_ability(provider.source(), "source")
}

/// Returns the value of a call that must succeed.
pub(super) fn expect_ok<T>(what: &str, answer: Result<T>) -> Result<T, Stop> {
    answer.map_err(|error| Stop::Failed(format!("{what} failed with {:?}: {error}", error.kind())))
}

/// Returns the list of a provider that must not return `Unchanged`.
async fn list_pending(world: &dyn World, provider: &dyn Provider) -> Result<Vec<ChangeHead>, Stop> {
    match expect_ok("pending", with_patience(world, source(provider)?.pending()).await?)? {
        Pending::Changes(heads) => Ok(heads),
        Pending::Unchanged => {
            failed("`pending` is `Unchanged`, but this provider has never returned the current list")
        }
    }
}

async fn offer(world: &dyn World, count: usize) -> Result<Vec<ChangeId>, Stop> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(world.changes()?.offer(&DocumentKind::Pipeline, &document(n)).await?);
    }
    Ok(ids)
}

fn ids(heads: &[ChangeHead]) -> Vec<ChangeId> {
    heads.iter().map(|head| head.id.clone()).collect()
}

/// Checks the order of the list: the host applies changes in that order.
pub(crate) async fn they_come_oldest_first(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 5).await?;
    let got = ids(&list_pending(&*world, &*build_provider(&*world)?).await?);
    ensure!(got == offered, "offered in the order {offered:?}, listed as {got:?}");
    Ok(())
}

/// Checks that a list of several pages is complete.
pub(crate) async fn a_long_list_is_whole(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 47).await?;
    let got = ids(&list_pending(&*world, &*build_provider(&*world)?).await?);
    ensure!(got == offered, "{} changes offered, {} listed, or in another order", offered.len(), got.len());
    Ok(())
}

/// Checks that a list without changes is an empty list, not `Unchanged` and not an error.
pub(crate) async fn nothing_pending_is_an_empty_list(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.changes()?;
    let heads = list_pending(&*world, &*build_provider(&*world)?).await?;
    ensure!(heads.is_empty(), "no change was offered, but the list is {heads:?}");
    Ok(())
}

/// Checks that a new provider returns the list: `Unchanged` refers to a list that the host has never seen.
pub(crate) async fn a_new_provider_never_says_unchanged(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    for built in [build_provider(&*world)?, build_provider(&*world)?] {
        let got = ids(&list_pending(&*world, &*built).await?);
        ensure!(got == offered, "expected {offered:?}, got {got:?}");
    }
    Ok(())
}

/// Checks that a repeated call without new changes returns `Unchanged` or the same list.
pub(crate) async fn asking_again_gives_the_same(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    let provider = build_provider(&*world)?;
    list_pending(&*world, &*provider).await?;
    for _ in 0..3 {
        let again = expect_ok("pending", with_patience(&*world, source(&*provider)?.pending()).await?)?;
        let same = match &again {
            Pending::Unchanged => true,
            Pending::Changes(heads) => ids(heads) == offered,
        };
        ensure!(same, "no change is new, but `pending` returns {again:?}");
    }
    Ok(())
}

/// Checks that a new change is listed, whatever the provider remembers of the last list.
pub(crate) async fn a_new_change_is_seen(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let mut offered = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    list_pending(&*world, &*provider).await?;
    expect_ok("pending", with_patience(&*world, source(&*provider)?.pending()).await?)?;
    offered.push(world.changes()?.offer(&DocumentKind::Mesh, &document(9)).await?);
    match expect_ok("pending", with_patience(&*world, source(&*provider)?.pending()).await?)? {
        Pending::Changes(heads) if ids(&heads) == offered => Ok(()),
        other => failed(format!("a change is new, but `pending` returns {other:?}")),
    }
}

/// Checks that fetching does not acknowledge a change: a crash before the journal is written would lose it.
pub(crate) async fn a_change_comes_again_until_it_is_received(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    list_pending(&*world, &*provider).await?;
    expect_ok("fetch", with_patience(&*world, source(&*provider)?.fetch(&offered[0])).await?)?;
    let next = build_provider(&*world)?;
    let got = ids(&list_pending(&*world, &*next).await?);
    ensure!(got == offered, "the change was fetched and not received, but the next provider lists {got:?}");
    Ok(())
}

/// Checks that the list of a dropped call is returned again: the host never saw it.
pub(crate) async fn a_list_that_was_dropped_comes_again(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    for polls in 1..200 {
        let provider = build_provider(&*world)?;
        let limited = at_most(polls, source(&*provider)?.pending());
        if with_patience(&*world, limited).await?.is_some() {
            return Ok(());
        }
        let got = ids(&list_pending(&*world, &*provider).await?);
        ensure!(got == offered, "dropped after poll {polls}, the next list is {got:?}");
    }
    failed("`pending` did not end within 200 polls")
}

/// Checks that failures are errors and never a list, and that they do not change the next list.
pub(crate) async fn unavailable_is_never_an_empty_list(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    list_pending(&*world, &*provider).await?;
    for trouble in [Trouble::Status(503), Trouble::Status(404), Trouble::Page(200), Trouble::Cut] {
        world.calm().await;
        world.trouble(Exchange::Pending, &trouble).await?;
        if let Ok(pending) = with_patience(&*world, source(&*provider)?.pending()).await? {
            return failed(format!("{trouble:?}: `pending` returns {pending:?}"));
        }
    }
    world.calm().await;
    let after = expect_ok("pending", with_patience(&*world, source(&*provider)?.pending()).await?)?;
    let same = match &after {
        Pending::Unchanged => true,
        Pending::Changes(heads) => ids(heads) == offered,
    };
    ensure!(same, "after failures, `pending` returns {after:?}");
    Ok(())
}

/// Checks that the provider passes on the kind, and every byte of the document.
pub(crate) async fn a_fetched_change_is_whole(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let kinds = [DocumentKind::Gateway, DocumentKind::Pipeline, DocumentKind::Mesh];
    let text = |n: usize| format!("{}# \"quoted\" \\ back\ttab é 漢 🦀\r\n", document(n));
    let mut offered = Vec::new();
    for (n, kind) in kinds.into_iter().enumerate() {
        offered.push((world.changes()?.offer(&kind, &text(n)).await?, kind, text(n)));
    }
    let provider = build_provider(&*world)?;
    let heads = list_pending(&*world, &*provider).await?;
    for ((id, kind, document), head) in offered.into_iter().zip(heads) {
        ensure!(head.id == id && head.kind == kind, "expected {id} of kind {kind:?}, listed {head:?}");
        let got = expect_ok("fetch", with_patience(&*world, source(&*provider)?.fetch(&id)).await?)?;
        let expected = Change { id, kind, document, attachments: Vec::new() };
        ensure!(got == expected, "expected {expected:?}, got {got:?}");
    }
    Ok(())
}

/// Checks that a fetched change has its attachments.
pub(crate) async fn attachments_come_along(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (id, expected) = world.changes()?.offer_with_attachments().await?;
    let provider = build_provider(&*world)?;
    let got = expect_ok("fetch", with_patience(&*world, source(&*provider)?.fetch(&id)).await?)?;
    ensure!(got.attachments == expected, "expected {expected:?}, got {:?}", got.attachments);
    Ok(())
}

/// Checks that the provider passes on unknown kinds: the host must see them to reject the change.
pub(crate) async fn an_unknown_kind_is_passed_on(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let kind = DocumentKind::Unknown("firmware".to_owned());
    let id = world.changes()?.offer(&kind, "[firmware]\nversion = 2\n").await?;
    let provider = build_provider(&*world)?;
    let heads = list_pending(&*world, &*provider).await?;
    ensure!(
        heads.iter().any(|head| head.id == id && head.kind == kind),
        "expected {id} of kind {kind:?}, listed {heads:?}"
    );
    let got = expect_ok("fetch", with_patience(&*world, source(&*provider)?.fetch(&id)).await?)?;
    ensure!(got.kind == kind, "expected {kind:?}, got {:?}", got.kind);
    Ok(())
}

pub(crate) async fn fetching_what_was_never_offered_is_not_found(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = world.changes()?.unknown();
    let provider = build_provider(&*world)?;
    match with_patience(&*world, source(&*provider)?.fetch(&id)).await? {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => failed(format!("expected NotFound, got {:?}: {error}", error.kind())),
        Ok(change) => failed(format!("expected NotFound, got {change:?}")),
    }
}

/// Checks that concurrent fetches return the document of the requested change.
pub(crate) async fn fetches_at_once_are_not_mixed_up(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 12).await?;
    let provider = build_provider(&*world)?;
    let mut fetching = JoinSet::new();
    for (n, id) in offered.into_iter().enumerate() {
        let provider: Arc<dyn Provider> = Arc::clone(&provider);
        fetching.spawn(async move {
            let fetched = source(&*provider)?.fetch(&id).await;
            let change = expect_ok("fetch", fetched)?;
            ensure!(
                change.id == id && change.document == document(n),
                "{id}, fetched concurrently: got {change:?}"
            );
            Ok(())
        });
    }
    with_patience(&*world, fetching.join_all()).await?.into_iter().collect()
}

/// Checks that a change with a verdict disappears from the list.
pub(crate) async fn a_settled_change_is_gone(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    let provider = build_provider(&*world)?;
    list_pending(&*world, &*provider).await?;
    for status in [ChangeStatus::Received, ChangeStatus::Applied] {
        expect_ok("report", with_patience(&*world, source(&*provider)?.report(&offered[0], &status)).await?)?;
    }
    match expect_ok("pending", with_patience(&*world, source(&*provider)?.pending()).await?)? {
        Pending::Changes(heads) if ids(&heads) == offered[1..] => Ok(()),
        other => failed(format!("the first of two changes has a verdict, but `pending` returns {other:?}")),
    }
}

/// Checks that the cadence is always the configured one, with an interval of more than zero and at most a
/// day.
pub(crate) async fn the_cadence_is_the_configured_one(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let expected = world.changes()?.cadence();
    let provider = build_provider(&*world)?;
    for _ in 0..2 {
        let cadence = source(&*provider)?.cadence();
        ensure!(cadence == expected, "expected {expected:?}, got {cadence:?}");
        if let Cadence::Every(interval) = cadence {
            let day = Duration::from_secs(24 * 3600);
            ensure!(!interval.is_zero() && interval <= day, "{interval:?} is not a usable interval");
        }
        with_patience(&*world, source(&*provider)?.pending()).await?.ok();
    }
    Ok(())
}
