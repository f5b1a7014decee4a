//! Checks of pushing documents.

use super::changes::expect_ok;
use crate::testkit::fixture::{build_provider, require_ability, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed};
use crate::testkit::{Exchange, Subject, Trouble, World};
use crate::{DocumentKind, ErrorKind, Provider, Publication, Published, Result};

async fn publish(
    world: &dyn World,
    provider: &dyn Provider,
    kind: &DocumentKind,
    id: Option<&str>,
    document: &str,
) -> Result<Result<Published>, Stop> {
    let publication = Publication { kind, id, document };
    with_patience(world, require_ability(provider.publisher(), "publisher")?.publish(&publication)).await
}

/// Checks that the control plane gets every byte of the document, and that the provider returns its id.
pub(crate) async fn a_document_arrives_and_has_an_id(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.document();
    let provider = build_provider(&*world)?;
    let published = expect_ok("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    ensure!(!published.id.trim().is_empty(), "the id is blank: {published:?}");
    ensure!(published.created, "the document is new, but `created` is false: {published:?}");
    let held = world.documents()?.held(&published.id).await?;
    ensure!(held.as_deref() == Some(document.as_str()), "pushed {document:?}, stored {held:?}");
    Ok(())
}

/// Checks that pushing again with the id does not create a second document.
pub(crate) async fn again_under_its_id_it_is_the_same(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.document();
    let provider = build_provider(&*world)?;
    let first = expect_ok("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    for _ in 0..2 {
        let again = publish(&*world, &*provider, &kind, Some(&first.id), &document).await?;
        let again = expect_ok("publish again", again)?;
        ensure!(again.id == first.id, "the id was {first:?} and is {again:?}");
        ensure!(!again.created, "the document exists, but `created` is true: {again:?}");
    }
    Ok(())
}

pub(crate) async fn under_its_id_it_is_replaced(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let ((kind, document), changed) = (world.documents()?.document(), world.documents()?.changed());
    let provider = build_provider(&*world)?;
    let first = expect_ok("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    let next = publish(&*world, &*provider, &kind, Some(&first.id), &changed).await?;
    let next = expect_ok("publish", next)?;
    let held = world.documents()?.held(&next.id).await?;
    ensure!(held.as_deref() == Some(changed.as_str()), "pushed {changed:?}, stored {held:?}");
    Ok(())
}

/// Checks that a lost response is an error, since the result is unknown, and that a repeated push succeeds.
pub(crate) async fn a_push_whose_answer_was_lost_may_be_repeated(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.document();
    let provider = build_provider(&*world)?;
    world.trouble(Exchange::Publish, &Trouble::LostAnswer).await?;
    match publish(&*world, &*provider, &kind, None, &document).await? {
        Err(error) if error.kind() == ErrorKind::Unavailable => {}
        other => return failed(format!("the response was lost: expected Unavailable, got {other:?}")),
    }
    world.calm().await;
    let published = expect_ok("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    let held = world.documents()?.held(&published.id).await?;
    ensure!(held.as_deref() == Some(document.as_str()), "pushed {document:?}, stored {held:?}");
    Ok(())
}

/// Checks that a rejected document is `Invalid`: pushing it again does not help.
pub(crate) async fn what_is_not_accepted_is_invalid(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.unacceptable()?;
    let provider = build_provider(&*world)?;
    match publish(&*world, &*provider, &kind, None, &document).await? {
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(()),
        Err(error) => failed(format!("expected Invalid, got {:?}: {error}", error.kind())),
        Ok(published) => failed(format!("expected Invalid, got {published:?}")),
    }
}
