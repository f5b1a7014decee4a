use std::time::Duration;

use super::changes::fine;
use super::credentials::{enroll, enrollment};
use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed, skipped};
use crate::testkit::{Exchange, Subject, Trouble, World};
use crate::{Clock as _, ErrorKind, Provider, Standing};

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
    let standing = enrollment(&*built(&*world)?)?.standing();
    ensure!(standing == Standing::Missing, "expected Missing, the standing is {standing:?}");
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
    match enrollment(&*provider)?.standing() {
        Standing::Valid { expires_at } if expires_at > world.clock().now() => Ok(()),
        other => failed(format!("the standing is {other:?}")),
    }
}

/// By the clock that the provider was given.
pub(crate) async fn after_its_end_it_is_expired(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.credentials()?;
    let (_, question) = own_question(&*world).await?;
    let provider = built(&*world)?;
    within(&*world, question.ask(&*provider)).await?;
    let Standing::Valid { expires_at } = enrollment(&*provider)?.standing() else {
        return failed("the standing is not even Valid to begin with");
    };
    let left = expires_at.duration_since(world.clock().now()).unwrap_or_default();
    world.clock().turn(left + Duration::from_secs(60));
    let standing = enrollment(&*provider)?.standing();
    let expected = Standing::Expired { expired_at: expires_at };
    ensure!(standing == expected, "expected {expected:?}, the standing is {standing:?}");
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
    let standing = enrollment(&*provider)?.standing();
    ensure!(standing == Standing::Refused, "expected Refused, the standing is {standing:?}");
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
    let standing = enrollment(&*provider)?.standing();
    ensure!(matches!(standing, Standing::Valid { .. }), "the standing is {standing:?}");
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
    let before = enrollment(&*first)?.standing();
    ensure!(before == Standing::Missing, "expected Missing, the standing is {before:?}");
    fine("enroll", enroll(&*world, &*second, &request).await?)?;
    let standing = enrollment(&*first)?.standing();
    ensure!(
        matches!(standing, Standing::Valid { .. }),
        "another has enrolled, and the standing is {standing:?}"
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
        let standing = enrollment(&*provider)?.standing();
        ensure!(matches!(standing, Standing::Valid { .. }), "{trouble:?}: the standing is {standing:?}");
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
        enrollment(&*provider)?.standing();
        tokio::task::yield_now().await;
    }
    let asked = world.asked()? - before;
    ensure!(asked == 0, "`standing` asked {asked} times");
    Ok(())
}
