use std::time::Duration;

use super::changes::fine;
use super::credentials::{enroll, enrollment};
use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed, skipped};
use crate::testkit::{Exchange, Subject, Trouble, World};
use crate::{Clock as _, CredentialStatus, ErrorKind, Provider};

/// Something to ask in the gateway's own name.
async fn own_question(world: &dyn World) -> Result<(Exchange, Question), Stop> {
    for exchange in [Exchange::Pending, Exchange::Resolve, Exchange::Issue, Exchange::Publish] {
        if let Ok(question) = Question::prepare(world, exchange).await {
            return Ok((exchange, question));
        }
    }
    skipped("this provider asks nothing in the name of the gateway")
}

async fn is_unavailable(
    world: &dyn World,
    provider: &dyn Provider,
    question: &Question,
    when: &str,
) -> Verdict {
    match within(world, question.ask(provider)).await? {
        Told::Refused(error) if error.kind() == ErrorKind::Unavailable => Ok(()),
        Told::Refused(error) => {
            failed(format!("{when}: expected Unavailable, got {:?}: {error}", error.kind()))
        }
        other => failed(format!("{when}: {other:?}")),
    }
}

pub(crate) async fn without_a_credential_it_is_missing(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?.forget().await;
    let status = enrollment(&*built(&*world)?)?.credential_status();
    ensure!(status == CredentialStatus::Missing, "expected Missing, the status is {status:?}");
    Ok(())
}

/// A gateway that nobody authorized is not denied what it asks for: it cannot be served now.
pub(crate) async fn without_a_credential_calls_are_unavailable(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (_, question) = own_question(&*world).await?;
    world.credentials()?.forget().await;
    is_unavailable(&*world, &*built(&*world)?, &question, "no credential").await
}

pub(crate) async fn with_a_credential_it_is_valid(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (_, question) = own_question(&*world).await?;
    let provider = built(&*world)?;
    within(&*world, question.ask(&*provider)).await?;
    match enrollment(&*provider)?.credential_status() {
        CredentialStatus::Valid { expires_at } if expires_at > world.clock().now() => Ok(()),
        other => failed(format!("the status is {other:?}")),
    }
}

/// By the clock that the provider was given.
pub(crate) async fn after_its_end_it_is_expired(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (_, question) = own_question(&*world).await?;
    let provider = built(&*world)?;
    within(&*world, question.ask(&*provider)).await?;
    let CredentialStatus::Valid { expires_at } = enrollment(&*provider)?.credential_status() else {
        return failed("the status is not even Valid to begin with");
    };
    let left = expires_at.duration_since(world.clock().now()).unwrap_or_default();
    world.clock().turn(left + Duration::from_secs(60));
    let status = enrollment(&*provider)?.credential_status();
    let expected = CredentialStatus::Expired { expired_at: expires_at };
    ensure!(status == expected, "expected {expected:?}, the status is {status:?}");
    is_unavailable(&*world, &*provider, &question, "a credential that has ended").await
}

/// A credential that was refused is called so, for the host slows down and asks for a person.
pub(crate) async fn after_a_refusal_it_is_refused(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (_, question) = own_question(&*world).await?;
    let provider = built(&*world)?;
    within(&*world, question.ask(&*provider)).await?;
    world.credentials()?.refuse().await?;
    is_unavailable(&*world, &*provider, &question, "a credential that is refused").await?;
    let status = enrollment(&*provider)?.credential_status();
    ensure!(status == CredentialStatus::Refused, "expected Refused, the status is {status:?}");
    Ok(())
}

/// A new credential ends a refusal, without a restart.
pub(crate) async fn a_new_credential_ends_a_refusal(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (_, question) = own_question(&*world).await?;
    let provider = built(&*world)?;
    within(&*world, question.ask(&*provider)).await?;
    world.credentials()?.refuse().await?;
    is_unavailable(&*world, &*provider, &question, "a credential that is refused").await?;
    let request = world.credentials()?.request().await;
    fine("enroll", enroll(&*world, &*provider, &request).await?)?;
    let status = enrollment(&*provider)?.credential_status();
    ensure!(matches!(status, CredentialStatus::Valid { .. }), "the status is {status:?}");
    match within(&*world, question.ask(&*provider)).await? {
        Told::Right => Ok(()),
        other => failed(format!("with a new credential: {other:?}")),
    }
}

/// A credential that somebody else stored since is noticed.
pub(crate) async fn a_credential_of_another_provider_is_noticed(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?.forget().await;
    let request = world.credentials()?.request().await;
    let (first, second) = (built(&*world)?, built(&*world)?);
    let before = enrollment(&*first)?.credential_status();
    ensure!(before == CredentialStatus::Missing, "expected Missing, the status is {before:?}");
    fine("enroll", enroll(&*world, &*second, &request).await?)?;
    let status = enrollment(&*first)?.credential_status();
    ensure!(
        matches!(status, CredentialStatus::Valid { .. }),
        "another has enrolled, and the status is {status:?}"
    );
    Ok(())
}

/// Not being reached says nothing about the credential.
pub(crate) async fn it_survives_a_control_plane_that_is_away(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (exchange, question) = own_question(&*world).await?;
    let provider = built(&*world)?;
    within(&*world, question.ask(&*provider)).await?;
    for trouble in [Trouble::Status(503), Trouble::Cut, Trouble::Page(502)] {
        world.calm().await;
        world.trouble(exchange, &trouble).await?;
        is_unavailable(&*world, &*provider, &question, &format!("{trouble:?}")).await?;
        let status = enrollment(&*provider)?.credential_status();
        ensure!(matches!(status, CredentialStatus::Valid { .. }), "{trouble:?}: the status is {status:?}");
    }
    Ok(())
}

/// It is what is known now; nobody is asked.
pub(crate) async fn it_asks_nobody(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let provider = built(&*world)?;
    let before = world.asked()?;
    for _ in 0..20 {
        enrollment(&*provider)?.credential_status();
        tokio::task::yield_now().await;
    }
    let asked = world.asked()? - before;
    ensure!(asked == 0, "`credential_status` asked {asked} times");
    Ok(())
}
