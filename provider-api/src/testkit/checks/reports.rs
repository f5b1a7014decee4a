use super::changes::{fine, source};
use crate::testkit::question::document;
use crate::testkit::stage::{built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed};
use crate::testkit::{Exchange, Heard, Subject, Trouble, World};
use crate::{ChangeId, ChangeStatus, DocumentKind, ErrorKind, Provider, RejectionClass, RejectionReport};

async fn offered(world: &dyn World, n: usize) -> Result<ChangeId, Stop> {
    Ok(world.changes()?.offer(&DocumentKind::Pipeline, &document(n)).await?)
}

async fn report(world: &dyn World, provider: &dyn Provider, id: &ChangeId, status: &ChangeStatus) -> Verdict {
    let told = within(world, source(provider)?.report(id, status)).await?;
    fine(&format!("reporting {status:?}"), told)
}

fn rejection() -> ChangeStatus {
    ChangeStatus::Rejected(RejectionReport {
        class: RejectionClass::Validate,
        summary: "the pipeline names an endpoint that does not exist".to_owned(),
        problems: vec!["pipelines/kit.toml:3: `fhir` is unknown".to_owned(), "a second problem".to_owned()],
    })
}

/// Without the same report twice in a row: reports may be repeated.
async fn heard(world: &dyn World, id: &ChangeId) -> Result<Vec<Heard>, Stop> {
    let mut heard = world.changes()?.heard(id).await?;
    heard.dedup();
    Ok(heard)
}

pub(crate) async fn received_arrives(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    let provider = built(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    let heard = heard(&*world, &id).await?;
    ensure!(heard == [Heard::Received], "Received was reported, and the control plane heard {heard:?}");
    Ok(())
}

/// Applied, and nothing else: a verdict that turns into another one on its way is a lie.
pub(crate) async fn applied_arrives(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    let provider = built(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    report(&*world, &*provider, &id, &ChangeStatus::Applied).await?;
    let heard = heard(&*world, &id).await?;
    ensure!(heard == [Heard::Received, Heard::Applied], "the control plane heard {heard:?}");
    Ok(())
}

pub(crate) async fn rejected_arrives(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    let provider = built(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    report(&*world, &*provider, &id, &rejection()).await?;
    match heard(&*world, &id).await?.as_slice() {
        [Heard::Received, Heard::Rejected(_)] => Ok(()),
        other => failed(format!("the control plane heard {other:?}")),
    }
}

/// Who has to repair the change needs the step that refused it, the reason and every problem.
pub(crate) async fn a_rejection_arrives_with_its_reasons(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    let provider = built(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    report(&*world, &*provider, &id, &rejection()).await?;
    let ChangeStatus::Rejected(expected) = rejection() else { return Ok(()) };
    let heard = heard(&*world, &id).await?;
    let Some(Heard::Rejected(words)) = heard.last() else {
        return failed(format!("the control plane heard {heard:?}"));
    };
    for part in [&[expected.class.to_string(), expected.summary][..], &expected.problems].concat() {
        ensure!(words.contains(&part), "the control plane was not told `{part}`, but: {words}");
    }
    Ok(())
}

/// Every class of rejection can be told.
pub(crate) async fn every_class_of_rejection_arrives(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let provider = built(&*world)?;
    for class in RejectionClass::ALL {
        let id = offered(&*world, 1).await?;
        let status = ChangeStatus::Rejected(RejectionReport {
            class,
            summary: "it is so".to_owned(),
            problems: Vec::new(),
        });
        report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
        report(&*world, &*provider, &id, &status).await?;
        let heard = heard(&*world, &id).await?;
        let said = matches!(heard.last(), Some(Heard::Rejected(words)) if words.contains(&class.to_string()));
        ensure!(said, "{class}: the control plane heard {heard:?}");
    }
    Ok(())
}

/// The host repeats a report until it was answered.
pub(crate) async fn a_report_may_be_repeated(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let provider = built(&*world)?;
    for verdict in [ChangeStatus::Applied, rejection()] {
        let id = offered(&*world, 1).await?;
        for status in [&ChangeStatus::Received, &ChangeStatus::Received, &verdict, &verdict, &verdict] {
            report(&*world, &*provider, &id, status).await?;
        }
        let heard = heard(&*world, &id).await?;
        ensure!(heard.len() == 2, "the same verdict again, and the control plane heard {heard:?}");
    }
    Ok(())
}

/// Also by the next provider, after a restart.
pub(crate) async fn a_report_may_be_repeated_by_the_next_provider(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    for status in [ChangeStatus::Received, ChangeStatus::Applied] {
        for _ in 0..2 {
            report(&*world, &*built(&*world)?, &id, &status).await?;
        }
    }
    let heard = heard(&*world, &id).await?;
    ensure!(heard == [Heard::Received, Heard::Applied], "the control plane heard {heard:?}");
    Ok(())
}

/// The report arrived and the answer did not: an error first, since nobody knows, and fine when repeated.
pub(crate) async fn a_report_whose_answer_was_lost_may_be_repeated(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    let provider = built(&*world)?;
    for status in [ChangeStatus::Received, ChangeStatus::Applied] {
        world.trouble(Exchange::Report, &Trouble::LostAnswer).await?;
        match within(&*world, source(&*provider)?.report(&id, &status)).await? {
            Err(error) if error.kind() == ErrorKind::Unavailable => {}
            other => return failed(format!("{status:?}, the answer was lost: it says {other:?}")),
        }
        world.calm().await;
        report(&*world, &*provider, &id, &status).await?;
    }
    let heard = heard(&*world, &id).await?;
    ensure!(heard == [Heard::Received, Heard::Applied], "the control plane heard {heard:?}");
    Ok(())
}

/// A report that failed has not been made: it is not remembered as if it had.
pub(crate) async fn a_report_that_failed_is_made_when_repeated(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = offered(&*world, 1).await?;
    let provider = built(&*world)?;
    world.trouble(Exchange::Report, &Trouble::Status(503)).await?;
    for _ in 0..2 {
        let told = within(&*world, source(&*provider)?.report(&id, &ChangeStatus::Received)).await?;
        ensure!(told.is_err(), "the control plane answered 503, and the report is called made");
    }
    world.calm().await;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    let heard = heard(&*world, &id).await?;
    ensure!(heard == [Heard::Received], "the control plane heard {heard:?}");
    Ok(())
}

pub(crate) async fn a_report_of_what_was_never_offered_is_not_found(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let id = world.changes()?.unknown();
    let provider = built(&*world)?;
    match within(&*world, source(&*provider)?.report(&id, &ChangeStatus::Received)).await? {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => failed(format!("expected NotFound, got {:?}: {error}", error.kind())),
        Ok(()) => failed("nobody knows the change, and the report is called made"),
    }
}

/// Two changes with two verdicts: each its own.
pub(crate) async fn verdicts_are_not_mixed_up(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (good, bad) = (offered(&*world, 1).await?, offered(&*world, 2).await?);
    let provider = built(&*world)?;
    for id in [&good, &bad] {
        report(&*world, &*provider, id, &ChangeStatus::Received).await?;
    }
    let (applied, rejected) = (ChangeStatus::Applied, rejection());
    let (one, two) = tokio::join!(
        report(&*world, &*provider, &good, &applied),
        report(&*world, &*provider, &bad, &rejected)
    );
    one.and(two)?;
    let (of_good, of_bad) = (heard(&*world, &good).await?, heard(&*world, &bad).await?);
    let right = of_good.last() == Some(&Heard::Applied) && matches!(of_bad.last(), Some(Heard::Rejected(_)));
    ensure!(right, "one was applied and one rejected; heard {of_good:?} and {of_bad:?}");
    Ok(())
}
