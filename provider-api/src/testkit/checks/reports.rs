//! Checks of the reports about changes.

use super::changes::{expect_ok, source};
use crate::testkit::call::document;
use crate::testkit::fixture::{build_provider, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed};
use crate::testkit::{Exchange, Heard, Subject, Trouble, World};
use crate::{ChangeId, ChangeStatus, DocumentKind, ErrorKind, Provider, RejectionClass, RejectionReport};

async fn offer(world: &dyn World, n: usize) -> Result<ChangeId, Stop> {
    Ok(world.changes()?.offer(&DocumentKind::Pipeline, &document(n)).await?)
}

async fn report(
    world: &dyn World,
    provider: &dyn Provider,
    id: &ChangeId,
    status: &ChangeStatus,
) -> CheckResult {
    let result = with_patience(world, source(provider)?.report(id, status)).await?;
    expect_ok(&format!("reporting {status:?}"), result)
}

fn rejection() -> ChangeStatus {
    ChangeStatus::Rejected(RejectionReport {
        class: RejectionClass::Validate,
        summary: "the pipeline names an unknown endpoint".to_owned(),
        problems: vec!["pipelines/kit.toml:3: `fhir` is unknown".to_owned(), "a second problem".to_owned()],
    })
}

/// Returns the recorded reports without repetitions: the control plane may record a repeated report.
async fn recorded(world: &dyn World, id: &ChangeId) -> Result<Vec<Heard>, Stop> {
    let mut recorded = world.changes()?.heard(id).await?;
    recorded.dedup();
    Ok(recorded)
}

pub(crate) async fn received_arrives(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    let recorded = recorded(&*world, &id).await?;
    ensure!(recorded == [Heard::Received], "Received was reported, the control plane recorded {recorded:?}");
    Ok(())
}

/// Checks that Applied arrives as Applied and as nothing else.
pub(crate) async fn applied_arrives(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    report(&*world, &*provider, &id, &ChangeStatus::Applied).await?;
    let recorded = recorded(&*world, &id).await?;
    ensure!(recorded == [Heard::Received, Heard::Applied], "the control plane recorded {recorded:?}");
    Ok(())
}

pub(crate) async fn rejected_arrives(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    report(&*world, &*provider, &id, &rejection()).await?;
    match recorded(&*world, &id).await?.as_slice() {
        [Heard::Received, Heard::Rejected(_)] => Ok(()),
        other => failed(format!("the control plane recorded {other:?}")),
    }
}

/// Checks that class, summary and all problems arrive: the author of the change needs them to repair it.
pub(crate) async fn a_rejection_arrives_with_its_reasons(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    report(&*world, &*provider, &id, &rejection()).await?;
    let ChangeStatus::Rejected(expected) = rejection() else { return Ok(()) };
    let recorded = recorded(&*world, &id).await?;
    let Some(Heard::Rejected(words)) = recorded.last() else {
        return failed(format!("the control plane recorded {recorded:?}"));
    };
    for part in [&[expected.class.to_string(), expected.summary][..], &expected.problems].concat() {
        ensure!(words.contains(&part), "the report does not contain `{part}`: {words}");
    }
    Ok(())
}

/// Checks that a rejection of every class arrives with its class.
pub(crate) async fn every_class_of_rejection_arrives(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let provider = build_provider(&*world)?;
    for class in RejectionClass::ALL {
        let id = offer(&*world, 1).await?;
        let status = ChangeStatus::Rejected(RejectionReport {
            class,
            summary: "a summary".to_owned(),
            problems: Vec::new(),
        });
        report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
        report(&*world, &*provider, &id, &status).await?;
        let recorded = recorded(&*world, &id).await?;
        let named =
            matches!(recorded.last(), Some(Heard::Rejected(words)) if words.contains(&class.to_string()));
        ensure!(named, "{class}: the control plane recorded {recorded:?}");
    }
    Ok(())
}

/// Checks that a repeated report succeeds: the host repeats a report until it gets a response.
pub(crate) async fn a_report_may_be_repeated(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let provider = build_provider(&*world)?;
    for verdict in [ChangeStatus::Applied, rejection()] {
        let id = offer(&*world, 1).await?;
        for status in [&ChangeStatus::Received, &ChangeStatus::Received, &verdict, &verdict, &verdict] {
            report(&*world, &*provider, &id, status).await?;
        }
        let recorded = recorded(&*world, &id).await?;
        ensure!(recorded.len() == 2, "after repeated reports, the control plane recorded {recorded:?}");
    }
    Ok(())
}

/// Checks that the next provider can repeat a report, as after a restart.
pub(crate) async fn a_report_may_be_repeated_by_the_next_provider(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    for status in [ChangeStatus::Received, ChangeStatus::Applied] {
        for _ in 0..2 {
            report(&*world, &*build_provider(&*world)?, &id, &status).await?;
        }
    }
    let recorded = recorded(&*world, &id).await?;
    ensure!(recorded == [Heard::Received, Heard::Applied], "the control plane recorded {recorded:?}");
    Ok(())
}

/// Checks that a lost response is an error, since the result is unknown, and that a repeated report succeeds.
pub(crate) async fn a_report_whose_answer_was_lost_may_be_repeated(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    for status in [ChangeStatus::Received, ChangeStatus::Applied] {
        world.trouble(Exchange::Report, &Trouble::LostAnswer).await?;
        match with_patience(&*world, source(&*provider)?.report(&id, &status)).await? {
            Err(error) if error.kind() == ErrorKind::Unavailable => {}
            other => {
                return failed(format!(
                    "{status:?}, the response was lost: expected Unavailable, got {other:?}"
                ));
            }
        }
        world.calm().await;
        report(&*world, &*provider, &id, &status).await?;
    }
    let recorded = recorded(&*world, &id).await?;
    ensure!(recorded == [Heard::Received, Heard::Applied], "the control plane recorded {recorded:?}");
    Ok(())
}

/// Checks that a failed report is sent again when repeated, not remembered as sent.
pub(crate) async fn a_report_that_failed_is_made_when_repeated(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = offer(&*world, 1).await?;
    let provider = build_provider(&*world)?;
    world.trouble(Exchange::Report, &Trouble::Status(503)).await?;
    for _ in 0..2 {
        let result = with_patience(&*world, source(&*provider)?.report(&id, &ChangeStatus::Received)).await?;
        ensure!(result.is_err(), "the control plane returned 503, but `report` succeeded");
    }
    world.calm().await;
    report(&*world, &*provider, &id, &ChangeStatus::Received).await?;
    let recorded = recorded(&*world, &id).await?;
    ensure!(recorded == [Heard::Received], "the control plane recorded {recorded:?}");
    Ok(())
}

pub(crate) async fn a_report_of_what_was_never_offered_is_not_found(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let id = world.changes()?.unknown();
    let provider = build_provider(&*world)?;
    match with_patience(&*world, source(&*provider)?.report(&id, &ChangeStatus::Received)).await? {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => failed(format!("expected NotFound, got {:?}: {error}", error.kind())),
        Ok(()) => failed("the change is unknown, but `report` succeeded"),
    }
}

/// Checks that concurrent reports about two changes arrive at the right change.
pub(crate) async fn verdicts_are_not_mixed_up(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (good, bad) = (offer(&*world, 1).await?, offer(&*world, 2).await?);
    let provider = build_provider(&*world)?;
    for id in [&good, &bad] {
        report(&*world, &*provider, id, &ChangeStatus::Received).await?;
    }
    let (applied, rejected) = (ChangeStatus::Applied, rejection());
    let (one, two) = tokio::join!(
        report(&*world, &*provider, &good, &applied),
        report(&*world, &*provider, &bad, &rejected)
    );
    one.and(two)?;
    let (of_good, of_bad) = (recorded(&*world, &good).await?, recorded(&*world, &bad).await?);
    let right = of_good.last() == Some(&Heard::Applied) && matches!(of_bad.last(), Some(Heard::Rejected(_)));
    ensure!(right, "one change was applied and one rejected; recorded {of_good:?} and {of_bad:?}");
    Ok(())
}
