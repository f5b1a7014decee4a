use super::changes::fine;
use crate::testkit::stage::{ability, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed};
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
    within(world, ability(provider.publisher(), "publisher")?.publish(&publication)).await
}

/// What arrives is what was sent, byte by byte, and it has an id.
pub(crate) async fn a_document_arrives_and_has_an_id(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.document();
    let provider = built(&*world)?;
    let published = fine("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    ensure!(!published.id.trim().is_empty(), "it has no id: {published:?}");
    ensure!(published.created, "it is new there, and called not created: {published:?}");
    let held = world.documents()?.held(&published.id).await?;
    ensure!(held.as_deref() == Some(document.as_str()), "sent {document:?}, and there is {held:?}");
    Ok(())
}

/// Idempotent: again under its id it is the same document, and not a new one.
pub(crate) async fn again_under_its_id_it_is_the_same(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.document();
    let provider = built(&*world)?;
    let first = fine("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    for _ in 0..2 {
        let again = publish(&*world, &*provider, &kind, Some(&first.id), &document).await?;
        let again = fine("publish again", again)?;
        ensure!(again.id == first.id, "it was {first:?}, and again it is {again:?}");
        ensure!(!again.created, "it was there, and is called created: {again:?}");
    }
    Ok(())
}

pub(crate) async fn under_its_id_it_is_replaced(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let ((kind, document), changed) = (world.documents()?.document(), world.documents()?.changed());
    let provider = built(&*world)?;
    let first = fine("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    let next = publish(&*world, &*provider, &kind, Some(&first.id), &changed).await?;
    let next = fine("publish", next)?;
    let held = world.documents()?.held(&next.id).await?;
    ensure!(held.as_deref() == Some(changed.as_str()), "sent {changed:?}, and there is {held:?}");
    Ok(())
}

/// The answer was lost: an error, since nobody knows, and fine when repeated.
pub(crate) async fn a_push_whose_answer_was_lost_may_be_repeated(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.document();
    let provider = built(&*world)?;
    world.trouble(Exchange::Publish, &Trouble::LostAnswer).await?;
    match publish(&*world, &*provider, &kind, None, &document).await? {
        Err(error) if error.kind() == ErrorKind::Unavailable => {}
        other => return failed(format!("the answer was lost: it says {other:?}")),
    }
    world.calm().await;
    let published = fine("publish", publish(&*world, &*provider, &kind, None, &document).await?)?;
    let held = world.documents()?.held(&published.id).await?;
    ensure!(held.as_deref() == Some(document.as_str()), "sent {document:?}, and there is {held:?}");
    Ok(())
}

/// What the document says is wrong: sending it again changes nothing.
pub(crate) async fn what_is_not_accepted_is_invalid(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (kind, document) = world.documents()?.unacceptable()?;
    let provider = built(&*world)?;
    match publish(&*world, &*provider, &kind, None, &document).await? {
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(()),
        Err(error) => failed(format!("expected Invalid, got {:?}: {error}", error.kind())),
        Ok(published) => failed(format!("it was accepted: {published:?}")),
    }
}
