use std::time::{Duration, SystemTime};

use super::changes::fine;
use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{ability, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed, skipped};
use crate::testkit::{Canary, Exchange, Subject, Trouble, World, seen_in_error};
use crate::{
    Clock as _, CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, ErrorKind, MachineCredential,
    Provider, Result, Secret,
};

pub(super) fn enrollment(provider: &dyn Provider) -> Result<&dyn Enrollment, Stop> {
    ability(provider.enrollment(), "enrollment")
}

pub(super) async fn enroll(
    world: &dyn World,
    provider: &dyn Provider,
    request: &EnrollmentRequest,
) -> Result<Result<Enrolled>, Stop> {
    within(world, enrollment(provider)?.enroll(request)).await
}

pub(super) async fn adopt(
    world: &dyn World,
    provider: &dyn Provider,
    credential: MachineCredential,
) -> Result<Result<Enrolled>, Stop> {
    within(world, enrollment(provider)?.adopt(credential)).await
}

/// Nothing is stored: neither this provider nor one after a restart knows of a credential.
async fn nothing_is_stored(world: &dyn World, provider: &dyn Provider, when: &str) -> Verdict {
    let status = enrollment(provider)?.credential_status();
    ensure!(status == CredentialStatus::Missing, "{when}: expected Missing, the status is {status:?}");
    world.credentials()?.restart().await;
    let status = enrollment(&*built(world)?)?.credential_status();
    ensure!(status == CredentialStatus::Missing, "{when}, and a restart: the status is {status:?}");
    Ok(())
}

fn invalid(what: &str, got: Result<Enrolled>) -> Verdict {
    match got {
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(()),
        Err(error) => failed(format!("{what}: expected Invalid, got {:?}: {error}", error.kind())),
        Ok(enrolled) => failed(format!("{what}: it was taken: {enrolled:?}")),
    }
}

async fn on_a_new_machine(subject: &dyn Subject) -> Result<std::sync::Arc<dyn World>, Stop> {
    let world = subject.world().await;
    world.credentials()?.forget().await;
    Ok(world)
}

/// From a person's token to a credential that works.
pub(crate) async fn a_person_authorizes_the_gateway(subject: &dyn Subject) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let request = world.credentials()?.request().await;
    let provider = built(&*world)?;
    let enrolled = fine("enroll", enroll(&*world, &*provider, &request).await?)?;
    ensure!(!enrolled.gateway_id.trim().is_empty(), "the gateway has no id: {enrolled:?}");
    let ahead = enrolled.expires_at.duration_since(world.clock().now()).unwrap_or_default();
    ensure!(!ahead.is_zero(), "the credential has ended already: {enrolled:?}");
    let status = enrollment(&*provider)?.credential_status();
    let expected = CredentialStatus::Valid { expires_at: enrolled.expires_at };
    ensure!(status == expected, "expected {expected:?}, the status is {status:?}");
    Ok(())
}

/// It is kept: over a restart, and for the next provider.
pub(crate) async fn the_credential_is_kept(subject: &dyn Subject) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let request = world.credentials()?.request().await;
    let provider = built(&*world)?;
    let enrolled = fine("enroll", enroll(&*world, &*provider, &request).await?)?;
    for restarts in 0..2 {
        if restarts > 0 {
            world.credentials()?.restart().await;
        }
        let next = built(&*world)?;
        // Keeping it is asked for with a call, and seen without one.
        match enrollment(&*next)?.credential_status() {
            CredentialStatus::Valid { expires_at } => {
                let apart = expires_at.duration_since(enrolled.expires_at);
                let apart = apart.unwrap_or_else(|error| error.duration());
                ensure!(apart < Duration::from_secs(1), "kept, it ends {apart:?} apart from what was said");
            }
            other => return failed(format!("after {restarts} restarts the status is {other:?}")),
        }
    }
    Ok(())
}

/// What was enrolled is what the provider asks with from now on.
pub(crate) async fn the_credential_is_used(subject: &dyn Subject) -> Verdict {
    let mut why = "there is nothing to use it for".to_owned();
    for exchange in [Exchange::Pending, Exchange::Resolve, Exchange::Issue, Exchange::Publish] {
        let world = subject.world().await;
        let question = match Question::prepare(&*world, exchange).await {
            Ok(question) => question,
            Err(cannot) => {
                why = cannot.to_string();
                continue;
            }
        };
        world.credentials()?.forget().await;
        let provider = built(&*world)?;
        match within(&*world, question.ask(&*provider)).await? {
            Told::Refused(error) if error.kind() == ErrorKind::Unavailable => {}
            other => return failed(format!("{exchange:?} without a credential: {other:?}")),
        }
        let request = world.credentials()?.request().await;
        fine("enroll", enroll(&*world, &*provider, &request).await?)?;
        return match within(&*world, question.ask(&*provider)).await? {
            Told::Right => Ok(()),
            other => failed(format!("{exchange:?} with a new credential, without a restart: {other:?}")),
        };
    }
    skipped(why)
}

/// Whoever may not authorize this gateway is denied, and has changed nothing.
pub(crate) async fn a_stranger_is_denied(subject: &dyn Subject) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let mut request = world.credentials()?.request().await;
    request.user_token = world.credentials()?.stranger();
    let canary = [Canary::new("the token of the stranger", request.user_token.expose())];
    let provider = built(&*world)?;
    match enroll(&*world, &*provider, &request).await? {
        Err(error) if error.kind() == ErrorKind::Denied => {
            ensure!(seen_in_error(&canary, &error).is_none(), "the error shows the token of the stranger");
        }
        Err(error) => return failed(format!("expected Denied, got {:?}: {error}", error.kind())),
        Ok(enrolled) => return failed(format!("a stranger has authorized it: {enrolled:?}")),
    }
    nothing_is_stored(&*world, &*provider, "a stranger was denied").await
}

/// Whatever goes wrong, half a credential is none.
pub(crate) async fn a_failure_stores_nothing(subject: &dyn Subject) -> Verdict {
    let mut tried = 0;
    for trouble in [
        Trouble::Status(422),
        Trouble::Status(503),
        Trouble::Page(200),
        Trouble::Garbage,
        Trouble::Shape,
        Trouble::Blank,
        Trouble::HalfBody,
        Trouble::LostAnswer,
    ] {
        let world = on_a_new_machine(subject).await?;
        let request = world.credentials()?.request().await;
        if world.trouble(Exchange::Enroll, &trouble).await.is_err() {
            continue;
        }
        let provider = built(&*world)?;
        if let Ok(enrolled) = enroll(&*world, &*provider, &request).await? {
            return failed(format!("{trouble:?}: it says {enrolled:?}"));
        }
        world.calm().await;
        nothing_is_stored(&*world, &*provider, &format!("{trouble:?}")).await?;
        tried += 1;
    }
    if tried == 0 { skipped("enrolling cannot fail here") } else { Ok(()) }
}

/// A failure takes nothing away from a gateway that is authorized.
pub(crate) async fn a_failure_takes_nothing_away(subject: &dyn Subject) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let mut request = world.credentials()?.request().await;
    let provider = built(&*world)?;
    let enrolled = fine("enroll", enroll(&*world, &*provider, &request).await?)?;
    request.user_token = world.credentials()?.stranger();
    ensure!(enroll(&*world, &*provider, &request).await?.is_err(), "a stranger has authorized it");
    let status = enrollment(&*provider)?.credential_status();
    let expected = CredentialStatus::Valid { expires_at: enrolled.expires_at };
    ensure!(status == expected, "expected {expected:?}, the status is {status:?}");
    Ok(())
}

pub(crate) async fn a_credential_that_is_brought_is_used(subject: &dyn Subject) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let credential = world.credentials()?.credential().await?;
    let provider = built(&*world)?;
    let enrolled = fine("adopt", adopt(&*world, &*provider, credential.clone()).await?)?;
    ensure!(enrolled.gateway_id == credential.gateway_id, "it was for another gateway: {enrolled:?}");
    let status = enrollment(&*provider)?.credential_status();
    ensure!(matches!(status, CredentialStatus::Valid { .. }), "the status is {status:?}");
    world.credentials()?.restart().await;
    let status = enrollment(&*built(&*world)?)?.credential_status();
    ensure!(matches!(status, CredentialStatus::Valid { .. }), "after a restart the status is {status:?}");
    Ok(())
}

async fn brought(
    subject: &dyn Subject,
    what: &str,
    edit: impl FnOnce(&mut MachineCredential, SystemTime),
) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let mut credential = world.credentials()?.credential().await?;
    edit(&mut credential, world.clock().now());
    let canary = [Canary::new("the credential", credential.token.expose())];
    let provider = built(&*world)?;
    let got = adopt(&*world, &*provider, credential).await?;
    if let Err(error) = &got {
        ensure!(seen_in_error(&canary, error).is_none(), "{what}: the error shows the credential");
    }
    invalid(what, got)?;
    nothing_is_stored(&*world, &*provider, what).await
}

pub(crate) async fn an_expired_credential_is_not_taken(subject: &dyn Subject) -> Verdict {
    brought(subject, "it ended an hour ago", |credential, now| {
        credential.expires_at = now - Duration::from_secs(3600);
    })
    .await
}

/// Whoever brings a credential must not lead the gateway elsewhere.
pub(crate) async fn a_credential_for_elsewhere_is_not_taken(subject: &dyn Subject) -> Verdict {
    for origin in ["https://evil.example", "not a url", "https://"] {
        brought(subject, &format!("it is for `{origin}`"), |credential, _| {
            credential.control_plane = Some(origin.to_owned());
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn a_credential_that_is_none_is_not_taken(subject: &dyn Subject) -> Verdict {
    for token in ["", " ", "two words", "line\r\nbreak"] {
        brought(subject, &format!("the token is {token:?}"), |credential, _| {
            credential.token = Secret::new(token);
        })
        .await?;
    }
    brought(subject, "the gateway has no id", |credential, _| credential.gateway_id.clear()).await
}

/// One that is refused leaves the good one that was there.
pub(crate) async fn one_that_is_not_taken_takes_nothing_away(subject: &dyn Subject) -> Verdict {
    let world = on_a_new_machine(subject).await?;
    let good = world.credentials()?.credential().await?;
    let provider = built(&*world)?;
    fine("adopt", adopt(&*world, &*provider, good.clone()).await?)?;
    let mut elsewhere = good.clone();
    elsewhere.control_plane = Some("https://evil.example".to_owned());
    let expired = MachineCredential { expires_at: SystemTime::UNIX_EPOCH, ..good };
    for bad in [elsewhere, expired] {
        invalid("a bad one after a good one", adopt(&*world, &*provider, bad).await?)?;
        let status = enrollment(&*provider)?.credential_status();
        ensure!(matches!(status, CredentialStatus::Valid { .. }), "the status is {status:?}");
    }
    Ok(())
}
