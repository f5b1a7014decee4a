//! Checks of enrolling and adopting.

use std::time::{Duration, SystemTime};

use super::changes::expect_ok;
use crate::testkit::call::{Call, CallResult};
use crate::testkit::fixture::{build_provider, require_ability, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, counted, ensure, failed, skipped};
use crate::testkit::{Canary, Exchange, Subject, Trouble, World, seen_in_error};
use crate::{
    Clock as _, CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, ErrorKind, MachineCredential,
    Provider, Result, Secret,
};

pub(super) fn enrollment(provider: &dyn Provider) -> Result<&dyn Enrollment, Stop> {
    require_ability(provider.enrollment(), "enrollment")
}

pub(super) async fn enroll(
    world: &dyn World,
    provider: &dyn Provider,
    request: &EnrollmentRequest,
) -> Result<Result<Enrolled>, Stop> {
    with_patience(world, enrollment(provider)?.enroll(request)).await
}

pub(super) async fn adopt(
    world: &dyn World,
    provider: &dyn Provider,
    credential: MachineCredential,
) -> Result<Result<Enrolled>, Stop> {
    with_patience(world, enrollment(provider)?.adopt(credential)).await
}

/// Expects that no credential is stored: neither this provider nor one after a restart has one.
async fn expect_nothing_stored(world: &dyn World, provider: &dyn Provider, when: &str) -> CheckResult {
    let status = enrollment(provider)?.credential_status();
    ensure!(status == CredentialStatus::Missing, "{when}: expected Missing, the status is {status:?}");
    world.credentials()?.restart().await;
    let status = enrollment(&*build_provider(world)?)?.credential_status();
    ensure!(status == CredentialStatus::Missing, "{when}, after a restart: the status is {status:?}");
    Ok(())
}

fn expect_invalid(what: &str, got: Result<Enrolled>) -> CheckResult {
    match got {
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(()),
        Err(error) => failed(format!("{what}: expected Invalid, got {:?}: {error}", error.kind())),
        Ok(enrolled) => failed(format!("{what}: the provider adopted it: {enrolled:?}")),
    }
}

async fn unauthorized_world(subject: &dyn Subject) -> Result<std::sync::Arc<dyn World>, Stop> {
    let world = subject.world().await;
    world.credentials()?.forget().await;
    Ok(world)
}

/// Checks the way from the token of a user to a valid credential.
pub(crate) async fn a_person_authorizes_the_gateway(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let request = world.credentials()?.request().await;
    let provider = build_provider(&*world)?;
    let enrolled = expect_ok("enroll", enroll(&*world, &*provider, &request).await?)?;
    ensure!(!enrolled.gateway_id.trim().is_empty(), "the gateway id is blank: {enrolled:?}");
    let ahead = enrolled.expires_at.duration_since(world.clock().now()).unwrap_or_default();
    ensure!(!ahead.is_zero(), "the credential has expired already: {enrolled:?}");
    let status = enrollment(&*provider)?.credential_status();
    let expected = CredentialStatus::Valid { expires_at: Some(enrolled.expires_at) };
    ensure!(status == expected, "expected {expected:?}, the status is {status:?}");
    Ok(())
}

/// Checks that the next provider has the credential, before and after a restart.
pub(crate) async fn the_credential_is_kept(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let request = world.credentials()?.request().await;
    let provider = build_provider(&*world)?;
    let enrolled = expect_ok("enroll", enroll(&*world, &*provider, &request).await?)?;
    for restarts in 0..2 {
        if restarts > 0 {
            world.credentials()?.restart().await;
        }
        let next = build_provider(&*world)?;
        // `credential_status` alone must show it: no call has loaded the stored credential yet.
        match enrollment(&*next)?.credential_status() {
            CredentialStatus::Valid { expires_at: Some(expires_at) } => {
                let apart = expires_at.duration_since(enrolled.expires_at);
                let apart = apart.unwrap_or_else(|error| error.duration());
                ensure!(apart < Duration::from_secs(1), "the stored expiry differs by {apart:?}");
            }
            other => {
                return failed(format!("after {}: the status is {other:?}", counted(restarts, "restart")));
            }
        }
    }
    Ok(())
}

/// Checks that calls use the new credential without a restart.
pub(crate) async fn the_credential_is_used(subject: &dyn Subject) -> CheckResult {
    let mut why = "the provider has no call that needs a credential".to_owned();
    for exchange in [Exchange::Pending, Exchange::Resolve, Exchange::Issue, Exchange::Publish] {
        let world = subject.world().await;
        let call = match Call::prepare(&*world, exchange).await {
            Ok(call) => call,
            Err(cannot) => {
                why = cannot.to_string();
                continue;
            }
        };
        world.credentials()?.forget().await;
        let provider = build_provider(&*world)?;
        match with_patience(&*world, call.run(&*provider)).await? {
            CallResult::Failed(error) if error.kind() == ErrorKind::Unavailable => {}
            other => return failed(format!("{exchange:?} without a credential: {other:?}")),
        }
        let request = world.credentials()?.request().await;
        expect_ok("enroll", enroll(&*world, &*provider, &request).await?)?;
        return match with_patience(&*world, call.run(&*provider)).await? {
            CallResult::Correct => Ok(()),
            other => failed(format!("{exchange:?} with the new credential: {other:?}")),
        };
    }
    skipped(why)
}

/// Checks that a user without permission is denied, and that nothing is stored.
pub(crate) async fn a_stranger_is_denied(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let mut request = world.credentials()?.request().await;
    request.user_token = world.credentials()?.stranger();
    let canary = [Canary::new("the token of the user", request.user_token.expose())];
    let provider = build_provider(&*world)?;
    match enroll(&*world, &*provider, &request).await? {
        Err(error) if error.kind() == ErrorKind::Denied => {
            ensure!(seen_in_error(&canary, &error).is_none(), "the error shows the token of the user");
        }
        Err(error) => return failed(format!("expected Denied, got {:?}: {error}", error.kind())),
        Ok(enrolled) => {
            return failed(format!("a user without permission has authorized the gateway: {enrolled:?}"));
        }
    }
    expect_nothing_stored(&*world, &*provider, "after a denied user").await
}

/// Checks that a failed enrollment stores nothing, whatever the fault is.
pub(crate) async fn a_failure_stores_nothing(subject: &dyn Subject) -> CheckResult {
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
        let world = unauthorized_world(subject).await?;
        let request = world.credentials()?.request().await;
        if world.trouble(Exchange::Enroll, &trouble).await.is_err() {
            continue;
        }
        let provider = build_provider(&*world)?;
        if let Ok(enrolled) = enroll(&*world, &*provider, &request).await? {
            return failed(format!("{trouble:?}: `enroll` returns {enrolled:?}"));
        }
        world.calm().await;
        expect_nothing_stored(&*world, &*provider, &format!("{trouble:?}")).await?;
        tried += 1;
    }
    if tried == 0 { skipped("the world cannot make enrolling fail") } else { Ok(()) }
}

/// Checks that a failed enrollment keeps the stored credential.
pub(crate) async fn a_failure_takes_nothing_away(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let mut request = world.credentials()?.request().await;
    let provider = build_provider(&*world)?;
    let enrolled = expect_ok("enroll", enroll(&*world, &*provider, &request).await?)?;
    request.user_token = world.credentials()?.stranger();
    ensure!(
        enroll(&*world, &*provider, &request).await?.is_err(),
        "a user without permission has authorized it"
    );
    let status = enrollment(&*provider)?.credential_status();
    let expected = CredentialStatus::Valid { expires_at: Some(enrolled.expires_at) };
    ensure!(status == expected, "expected {expected:?}, the status is {status:?}");
    Ok(())
}

pub(crate) async fn a_credential_that_is_brought_is_used(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let credential = world.credentials()?.credential().await?;
    let provider = build_provider(&*world)?;
    let enrolled = expect_ok("adopt", adopt(&*world, &*provider, credential.clone()).await?)?;
    ensure!(
        enrolled.gateway_id == credential.gateway_id,
        "expected the gateway id of the credential: {enrolled:?}"
    );
    let status = enrollment(&*provider)?.credential_status();
    ensure!(matches!(status, CredentialStatus::Valid { .. }), "expected Valid, the status is {status:?}");
    world.credentials()?.restart().await;
    let status = enrollment(&*build_provider(&*world)?)?.credential_status();
    ensure!(
        matches!(status, CredentialStatus::Valid { .. }),
        "after a restart: expected Valid, the status is {status:?}"
    );
    Ok(())
}

async fn expect_not_adopted(
    subject: &dyn Subject,
    what: &str,
    edit: impl FnOnce(&mut MachineCredential, SystemTime),
) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let mut credential = world.credentials()?.credential().await?;
    edit(&mut credential, world.clock().now());
    let canary = [Canary::new("the credential", credential.token.expose())];
    let provider = build_provider(&*world)?;
    let got = adopt(&*world, &*provider, credential).await?;
    if let Err(error) = &got {
        ensure!(seen_in_error(&canary, error).is_none(), "{what}: the error shows the credential");
    }
    expect_invalid(what, got)?;
    expect_nothing_stored(&*world, &*provider, what).await
}

pub(crate) async fn an_expired_credential_is_not_taken(subject: &dyn Subject) -> CheckResult {
    expect_not_adopted(subject, "expired an hour ago", |credential, now| {
        credential.expires_at = now - Duration::from_secs(3600);
    })
    .await
}

/// Checks that a credential of another origin is refused: adopting it would send the gateway elsewhere.
pub(crate) async fn a_credential_for_elsewhere_is_not_taken(subject: &dyn Subject) -> CheckResult {
    for origin in ["https://evil.example", "not a url", "https://"] {
        expect_not_adopted(subject, &format!("the origin is `{origin}`"), |credential, _| {
            credential.control_plane = Some(origin.to_owned());
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn a_credential_that_is_none_is_not_taken(subject: &dyn Subject) -> CheckResult {
    for token in ["", " ", "two words", "line\r\nbreak"] {
        expect_not_adopted(subject, &format!("the token is {token:?}"), |credential, _| {
            credential.token = Secret::new(token);
        })
        .await?;
    }
    expect_not_adopted(subject, "the gateway id is blank", |credential, _| credential.gateway_id.clear())
        .await
}

/// Checks that a gateway does not become another one by a credential that is brought without `replace`.
pub(crate) async fn another_gateway_takes_replace(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let own = world.credentials()?.credential().await?;
    let provider = build_provider(&*world)?;
    expect_ok("adopt", adopt(&*world, &*provider, own.clone()).await?)?;
    let before = enrollment(&*provider)?.credential_status();
    let another = MachineCredential { gateway_id: "another-gateway".to_owned(), ..own };
    match adopt(&*world, &*provider, another).await? {
        Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid) => {}
        Err(error) => return failed(format!("expected Denied, got {:?}: {error}", error.kind())),
        Ok(enrolled) => return failed(format!("the gateway became another one: {enrolled:?}")),
    }
    let status = enrollment(&*provider)?.credential_status();
    ensure!(status == before, "expected {before:?}, the status is {status:?}");
    Ok(())
}

/// Checks that a refused credential leaves the stored one in place.
pub(crate) async fn one_that_is_not_taken_takes_nothing_away(subject: &dyn Subject) -> CheckResult {
    let world = unauthorized_world(subject).await?;
    let good = world.credentials()?.credential().await?;
    let provider = build_provider(&*world)?;
    expect_ok("adopt", adopt(&*world, &*provider, good.clone()).await?)?;
    let mut elsewhere = good.clone();
    elsewhere.control_plane = Some("https://evil.example".to_owned());
    let expired = MachineCredential { expires_at: SystemTime::UNIX_EPOCH, ..good };
    for bad in [elsewhere, expired] {
        expect_invalid("a bad credential after a good one", adopt(&*world, &*provider, bad).await?)?;
        let status = enrollment(&*provider)?.credential_status();
        ensure!(matches!(status, CredentialStatus::Valid { .. }), "expected Valid, the status is {status:?}");
    }
    Ok(())
}
