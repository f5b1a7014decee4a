//! Checks of the mapping from HTTP statuses to error kinds.

use std::time::Duration;

use super::kinds::kinds_of_status;
use crate::testkit::fixture::Fixture;
use crate::testkit::outcome::{CheckResult, ensure};
use crate::testkit::{Exchange, Subject, Trouble};

async fn expect_kinds(subject: &dyn Subject, exchange: Exchange, statuses: &[u16]) -> CheckResult {
    for &status in statuses {
        let fixture = Fixture::new(subject, exchange).await?;
        let error = fixture
            .expect_error(exchange, &Trouble::Status(status), kinds_of_status(exchange, status))
            .await?;
        ensure!(
            error.retry_after().is_none(),
            "{status}: the response has no Retry-After, but the error has one"
        );
    }
    Ok(())
}

/// Checks 401: the credential of the gateway, or of the user, is refused.
pub(crate) async fn a_refused_credential(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_kinds(subject, exchange, &[401]).await
}

/// Checks 403.
pub(crate) async fn what_is_not_permitted(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_kinds(subject, exchange, &[403]).await
}

/// Checks 404.
pub(crate) async fn what_is_not_there(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_kinds(subject, exchange, &[404]).await
}

/// Checks 400, 409 and 422: the request is wrong.
pub(crate) async fn what_makes_no_sense(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_kinds(subject, exchange, &[400, 409, 422]).await
}

/// Checks 500, 502 and 504.
pub(crate) async fn a_broken_control_plane(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_kinds(subject, exchange, &[500, 502, 504]).await
}

/// Checks 429 with Retry-After: the host, which owns retries, needs the delay.
pub(crate) async fn too_many_requests_says_when_to_come_back(
    subject: &dyn Subject,
    exchange: Exchange,
) -> CheckResult {
    expect_retry_after(subject, exchange, 429).await
}

/// Checks 503 with Retry-After.
pub(crate) async fn overload_says_when_to_come_back(
    subject: &dyn Subject,
    exchange: Exchange,
) -> CheckResult {
    expect_retry_after(subject, exchange, 503).await
}

async fn expect_retry_after(subject: &dyn Subject, exchange: Exchange, status: u16) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    let wait = Duration::from_secs(17);
    let error = fixture
        .expect_error(exchange, &Trouble::Wait(status, wait), kinds_of_status(exchange, status))
        .await?;
    let got = error.retry_after();
    ensure!(got == Some(wait), "{status}: Retry-After is {wait:?}, but `retry_after` is {got:?}");
    Ok(())
}
