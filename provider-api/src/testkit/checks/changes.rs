use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::testkit::question::document;
use crate::testkit::stage::{ability, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed};
use crate::testkit::{Exchange, Subject, Trouble, World, at_most};
use crate::{
    Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, ErrorKind, Pending,
    Provider, Result,
};

pub(super) fn source(provider: &dyn Provider) -> Result<&dyn ConfigSource, Stop> {
    ability(provider.source(), "source")
}

/// What a call said, or that it failed.
pub(super) fn fine<T>(what: &str, answer: Result<T>) -> Result<T, Stop> {
    answer.map_err(|error| Stop::Failed(format!("{what}: {:?}, {error}", error.kind())))
}

/// The list, which must be one.
async fn listed(world: &dyn World, provider: &dyn Provider) -> Result<Vec<ChangeHead>, Stop> {
    match fine("pending", within(world, source(provider)?.pending()).await?)? {
        Pending::Changes(heads) => Ok(heads),
        Pending::Unchanged => failed("`Unchanged`, and this provider has never listed what is pending now"),
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

/// The host applies them in the order of the list.
pub(crate) async fn they_come_oldest_first(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 5).await?;
    let got = ids(&listed(&*world, &*built(&*world)?).await?);
    ensure!(got == offered, "offered in the order {offered:?}, listed {got:?}");
    Ok(())
}

/// None is lost because there are many.
pub(crate) async fn a_long_list_is_whole(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 47).await?;
    let got = ids(&listed(&*world, &*built(&*world)?).await?);
    ensure!(got == offered, "{} were offered, {} listed, or in another order", offered.len(), got.len());
    Ok(())
}

/// That nothing is pending is a list, and an empty one; not `Unchanged` and not an error.
pub(crate) async fn nothing_pending_is_an_empty_list(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.changes()?;
    let heads = listed(&*world, &*built(&*world)?).await?;
    ensure!(heads.is_empty(), "nothing was offered, and it lists {heads:?}");
    Ok(())
}

/// Only who has seen the list can be told that it still stands.
pub(crate) async fn a_new_provider_never_says_unchanged(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    for built in [built(&*world)?, built(&*world)?] {
        let got = ids(&listed(&*world, &*built).await?);
        ensure!(got == offered, "expected {offered:?}, got {got:?}");
    }
    Ok(())
}

/// Asked again with nothing new, it says so or lists the same.
pub(crate) async fn asking_again_gives_the_same(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    let provider = built(&*world)?;
    listed(&*world, &*provider).await?;
    for _ in 0..3 {
        let again = fine("pending", within(&*world, source(&*provider)?.pending()).await?)?;
        let same = match &again {
            Pending::Unchanged => true,
            Pending::Changes(heads) => ids(heads) == offered,
        };
        ensure!(same, "nothing is new, and it answers {again:?}");
    }
    Ok(())
}

/// What is new is seen, whatever was remembered of the last list.
pub(crate) async fn a_new_change_is_seen(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let mut offered = offer(&*world, 1).await?;
    let provider = built(&*world)?;
    listed(&*world, &*provider).await?;
    fine("pending", within(&*world, source(&*provider)?.pending()).await?)?;
    offered.push(world.changes()?.offer(&DocumentKind::Mesh, &document(9)).await?);
    match fine("pending", within(&*world, source(&*provider)?.pending()).await?)? {
        Pending::Changes(heads) if ids(&heads) == offered => Ok(()),
        other => failed(format!("a change is new, and it answers {other:?}")),
    }
}

/// A change is offered again until somebody has it: fetching it is not having it.
pub(crate) async fn a_change_comes_again_until_it_is_received(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 1).await?;
    let provider = built(&*world)?;
    listed(&*world, &*provider).await?;
    fine("fetch", within(&*world, source(&*provider)?.fetch(&offered[0])).await?)?;
    let next = built(&*world)?;
    let got = ids(&listed(&*world, &*next).await?);
    ensure!(got == offered, "fetched and not received, and the next provider lists {got:?}");
    Ok(())
}

/// The answer to a call that was dropped has reached nobody, so it must come again.
pub(crate) async fn a_list_that_was_dropped_comes_again(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    for polls in 1..200 {
        let provider = built(&*world)?;
        let asked = at_most(polls, source(&*provider)?.pending());
        if within(&*world, asked).await?.is_some() {
            return Ok(());
        }
        let got = ids(&listed(&*world, &*provider).await?);
        ensure!(got == offered, "dropped after poll {polls}, and afterwards it lists {got:?}");
    }
    failed("`pending` did not end within 200 polls")
}

/// Unavailable, and empty, and unchanged: three different answers, one after the other.
pub(crate) async fn unavailable_is_never_an_empty_list(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 1).await?;
    let provider = built(&*world)?;
    listed(&*world, &*provider).await?;
    for trouble in [Trouble::Status(503), Trouble::Status(404), Trouble::Page(200), Trouble::Cut] {
        world.calm().await;
        world.trouble(Exchange::Pending, &trouble).await?;
        if let Ok(pending) = within(&*world, source(&*provider)?.pending()).await? {
            return failed(format!("{trouble:?}: it answers {pending:?}"));
        }
    }
    world.calm().await;
    let after = fine("pending", within(&*world, source(&*provider)?.pending()).await?)?;
    let same = match &after {
        Pending::Unchanged => true,
        Pending::Changes(heads) => ids(heads) == offered,
    };
    ensure!(same, "after it was unavailable it answers {after:?}");
    Ok(())
}

/// The document goes through byte by byte, and the kind with it.
pub(crate) async fn a_fetched_change_is_whole(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let kinds = [DocumentKind::Gateway, DocumentKind::Pipeline, DocumentKind::Mesh];
    let text = |n: usize| format!("{}# \"quoted\" \\ back\ttab é 漢 🦀\r\n", document(n));
    let mut offered = Vec::new();
    for (n, kind) in kinds.into_iter().enumerate() {
        offered.push((world.changes()?.offer(&kind, &text(n)).await?, kind, text(n)));
    }
    let provider = built(&*world)?;
    let heads = listed(&*world, &*provider).await?;
    for ((id, kind, document), head) in offered.into_iter().zip(heads) {
        ensure!(head.id == id && head.kind == kind, "expected {id} of kind {kind:?}, listed {head:?}");
        let got = fine("fetch", within(&*world, source(&*provider)?.fetch(&id)).await?)?;
        let expected = Change { id, kind, document, attachments: Vec::new() };
        ensure!(got == expected, "expected {expected:?}, got {got:?}");
    }
    Ok(())
}

/// What a change needs comes with it.
pub(crate) async fn attachments_come_along(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (id, expected) = world.changes()?.offer_with_attachments().await?;
    let provider = built(&*world)?;
    let got = fine("fetch", within(&*world, source(&*provider)?.fetch(&id)).await?)?;
    ensure!(got.attachments == expected, "expected {expected:?}, got {:?}", got.attachments);
    Ok(())
}

/// The host rejects what it does not know; a provider that guessed would hide it.
pub(crate) async fn an_unknown_kind_is_passed_on(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let kind = DocumentKind::Unknown("firmware".to_owned());
    let id = world.changes()?.offer(&kind, "[firmware]\nversion = 2\n").await?;
    let provider = built(&*world)?;
    let heads = listed(&*world, &*provider).await?;
    ensure!(heads.iter().any(|head| head.id == id && head.kind == kind), "listed {heads:?}");
    let got = fine("fetch", within(&*world, source(&*provider)?.fetch(&id)).await?)?;
    ensure!(got.kind == kind, "expected {kind:?}, got {:?}", got.kind);
    Ok(())
}

pub(crate) async fn fetching_what_was_never_offered_is_not_found(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = world.changes()?.unknown();
    let provider = built(&*world)?;
    match within(&*world, source(&*provider)?.fetch(&id)).await? {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => failed(format!("expected NotFound, got {:?}: {error}", error.kind())),
        Ok(change) => failed(format!("it fetched {change:?}")),
    }
}

/// Different changes asked for at once do not get each other's document.
pub(crate) async fn fetches_at_once_are_not_mixed_up(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 12).await?;
    let provider = built(&*world)?;
    let mut fetching = JoinSet::new();
    for (n, id) in offered.into_iter().enumerate() {
        let provider: Arc<dyn Provider> = Arc::clone(&provider);
        fetching.spawn(async move {
            let fetched = source(&*provider)?.fetch(&id).await;
            let change = fine("fetch", fetched)?;
            ensure!(change.id == id && change.document == document(n), "{id} at once: got {change:?}");
            Ok(())
        });
    }
    within(&*world, fetching.join_all()).await?.into_iter().collect()
}

/// A settled change is not offered any more, and that is seen.
pub(crate) async fn a_settled_change_is_gone(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let offered = offer(&*world, 2).await?;
    let provider = built(&*world)?;
    listed(&*world, &*provider).await?;
    for status in [ChangeStatus::Received, ChangeStatus::Applied] {
        fine("report", within(&*world, source(&*provider)?.report(&offered[0], &status)).await?)?;
    }
    match fine("pending", within(&*world, source(&*provider)?.pending()).await?)? {
        Pending::Changes(heads) if ids(&heads) == offered[1..] => Ok(()),
        other => failed(format!("the first of two is settled, and it answers {other:?}")),
    }
}

/// The configured one, always, and neither nothing nor for ever.
pub(crate) async fn the_cadence_is_the_configured_one(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let expected = world.changes()?.cadence();
    let provider = built(&*world)?;
    for _ in 0..2 {
        let cadence = source(&*provider)?.cadence();
        ensure!(cadence == expected, "expected {expected:?}, got {cadence:?}");
        if let Cadence::Every(interval) = cadence {
            let day = Duration::from_secs(24 * 3600);
            ensure!(!interval.is_zero() && interval <= day, "every {interval:?} is no interval");
        }
        within(&*world, source(&*provider)?.pending()).await?.ok();
    }
    Ok(())
}
