//! Checks of the credential status.

use std::time::Duration;

use super::changes::expect_ok;
use super::credentials::{enroll, enrollment};
use crate::testkit::call::{Call, CallResult};
use crate::testkit::fixture::{build_provider, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, counted, ensure, failed, skipped};
use crate::testkit::{Exchange, Subject, Trouble, World};
use crate::{Clock as _, CredentialStatus, ErrorKind, Provider};

/// Returns a call that needs the credential of the gateway.
async fn authenticated_call(world: &dyn World) -> Result<(Exchange, Call), Stop> {
    for exchange in [Exchange::Pending, Exchange::Resolve, Exchange::Issue, Exchange::Publish] {
        if let Ok(call) = Call::prepare(world, exchange).await {
            return Ok((exchange, call));
        }
    }
    skipped("the provider has no call that needs a credential")
}

async fn expect_unavailable(
    world: &dyn World,
    provider: &dyn Provider,
    call: &Call,
    when: &str,
) -> CheckResult {
    match with_patience(world, call.run(provider)).await? {
        CallResult::Failed(error) if error.kind() == ErrorKind::Unavailable => Ok(()),
        CallResult::Failed(error) => {
            failed(format!("{when}: expected Unavailable, got {:?}: {error}", error.kind()))
        }
        other => failed(format!("{when}: {other:?}")),
    }
}

pub(crate) async fn without_a_credential_it_is_missing(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?.forget().await;
    let status = enrollment(&*build_provider(&*world)?)?.credential_status();
    ensure!(status == CredentialStatus::Missing, "expected Missing, the status is {status:?}");
    Ok(())
}

/// Checks that calls of an unauthorized gateway are `Unavailable`, not `Denied`: they work once it is
/// authorized.
pub(crate) async fn without_a_credential_calls_are_unavailable(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let (_, call) = authenticated_call(&*world).await?;
    world.credentials()?.forget().await;
    expect_unavailable(&*world, &*build_provider(&*world)?, &call, "without a credential").await
}

pub(crate) async fn with_a_credential_it_is_valid(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let (_, call) = authenticated_call(&*world).await?;
    let provider = build_provider(&*world)?;
    with_patience(&*world, call.run(&*provider)).await?;
    match enrollment(&*provider)?.credential_status() {
        CredentialStatus::Valid { expires_at: Some(expires_at) } if expires_at > world.clock().now() => {
            Ok(())
        }
        other => failed(format!("expected Valid with a future expiry, the status is {other:?}")),
    }
}

/// Checks the expiry by the clock of the build context.
pub(crate) async fn after_its_end_it_is_expired(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let (_, call) = authenticated_call(&*world).await?;
    let provider = build_provider(&*world)?;
    with_patience(&*world, call.run(&*provider)).await?;
    let CredentialStatus::Valid { expires_at: Some(expires_at) } =
        enrollment(&*provider)?.credential_status()
    else {
        return failed("the initial status is not Valid");
    };
    let left = expires_at.duration_since(world.clock().now()).unwrap_or_default();
    world.clock().turn(left + Duration::from_secs(60));
    let status = enrollment(&*provider)?.credential_status();
    let expected = CredentialStatus::Expired { expired_at: expires_at };
    ensure!(status == expected, "expected {expected:?}, the status is {status:?}");
    expect_unavailable(&*world, &*provider, &call, "with an expired credential").await
}

/// Checks that a refusal is visible: the host then polls less often and tells the operator.
pub(crate) async fn after_a_refusal_it_is_refused(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let (_, call) = authenticated_call(&*world).await?;
    let provider = build_provider(&*world)?;
    with_patience(&*world, call.run(&*provider)).await?;
    world.credentials()?.refuse().await?;
    expect_unavailable(&*world, &*provider, &call, "with a refused credential").await?;
    let status = enrollment(&*provider)?.credential_status();
    ensure!(status == CredentialStatus::Refused, "expected Refused, the status is {status:?}");
    Ok(())
}

/// Checks that a new credential ends a refusal without a restart.
pub(crate) async fn a_new_credential_ends_a_refusal(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let (_, call) = authenticated_call(&*world).await?;
    let provider = build_provider(&*world)?;
    with_patience(&*world, call.run(&*provider)).await?;
    world.credentials()?.refuse().await?;
    expect_unavailable(&*world, &*provider, &call, "with a refused credential").await?;
    let request = world.credentials()?.request().await;
    expect_ok("enroll", enroll(&*world, &*provider, &request).await?)?;
    let status = enrollment(&*provider)?.credential_status();
    ensure!(matches!(status, CredentialStatus::Valid { .. }), "expected Valid, the status is {status:?}");
    match with_patience(&*world, call.run(&*provider)).await? {
        CallResult::Correct => Ok(()),
        other => failed(format!("with the new credential: {other:?}")),
    }
}

/// Checks that a provider sees a credential that another provider has stored.
pub(crate) async fn a_credential_of_another_provider_is_noticed(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?.forget().await;
    let request = world.credentials()?.request().await;
    let (first, second) = (build_provider(&*world)?, build_provider(&*world)?);
    let before = enrollment(&*first)?.credential_status();
    ensure!(before == CredentialStatus::Missing, "expected Missing, the status is {before:?}");
    expect_ok("enroll", enroll(&*world, &*second, &request).await?)?;
    let status = enrollment(&*first)?.credential_status();
    ensure!(
        matches!(status, CredentialStatus::Valid { .. }),
        "another provider has enrolled, but the status is {status:?}"
    );
    Ok(())
}

/// Checks that failures of the control plane do not change the status.
pub(crate) async fn it_survives_a_control_plane_that_is_away(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let (exchange, call) = authenticated_call(&*world).await?;
    let provider = build_provider(&*world)?;
    with_patience(&*world, call.run(&*provider)).await?;
    for trouble in [Trouble::Status(503), Trouble::Cut, Trouble::Page(502)] {
        world.calm().await;
        world.trouble(exchange, &trouble).await?;
        expect_unavailable(&*world, &*provider, &call, &format!("{trouble:?}")).await?;
        let status = enrollment(&*provider)?.credential_status();
        ensure!(
            matches!(status, CredentialStatus::Valid { .. }),
            "{trouble:?}: expected Valid, the status is {status:?}"
        );
    }
    Ok(())
}

/// Checks that the status is known without a request.
pub(crate) async fn it_asks_nobody(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.credentials()?;
    let provider = build_provider(&*world)?;
    let before = world.asked()?;
    for _ in 0..20 {
        enrollment(&*provider)?.credential_status();
        tokio::task::yield_now().await;
    }
    let sent = world.asked()? - before;
    ensure!(sent == 0, "`credential_status` sent {}", counted(sent, "request"));
    Ok(())
}
