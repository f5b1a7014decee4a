//! Checks of the transport: broken connections, deadlines, limits, redirects and recovery.

use std::time::Duration;

use super::kinds::kinds_of_malformed;
use crate::ErrorKind::Unavailable;
use crate::testkit::call::CallResult;
use crate::testkit::fixture::Fixture;
use crate::testkit::outcome::{CheckResult, ensure, failed};
use crate::testkit::{Answer, Exchange, StandIn, Subject, Trouble};

async fn expect_unavailable(subject: &dyn Subject, exchange: Exchange, trouble: Trouble) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.expect_error(exchange, &trouble, &[Unavailable]).await.map(drop)
}

pub(crate) async fn a_cut_connection(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_unavailable(subject, exchange, Trouble::Cut).await
}

/// Checks that a truncated response is an error, even where its start could be decoded.
pub(crate) async fn half_an_answer(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_unavailable(subject, exchange, Trouble::HalfBody).await
}

/// Checks that a silent connection hits the deadline.
pub(crate) async fn silence_has_an_end(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_unavailable(subject, exchange, Trouble::Silence).await
}

/// Checks that an endless response hits the size limit.
pub(crate) async fn an_endless_answer_has_an_end(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.expect_error(exchange, &Trouble::EndlessBody, kinds_of_malformed(exchange)).await.map(drop)
}

/// Checks that the deadline covers the whole exchange: a deadline per read never expires on a dripping
/// response.
pub(crate) async fn an_answer_that_drips_has_an_end(
    subject: &dyn Subject,
    exchange: Exchange,
) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.expect_error(exchange, &Trouble::Drip, kinds_of_malformed(exchange)).await.map(drop)
}

/// Checks that a response with a short delay is accepted.
pub(crate) async fn a_slow_answer_is_one(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.world.trouble(exchange, &Trouble::Delay(Duration::from_millis(40))).await?;
    fixture.expect_correct("with a delay of 40 ms").await
}

pub(crate) async fn a_control_plane_that_is_away(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_unavailable(subject, exchange, Trouble::Unreachable).await
}

/// Checks that no request follows a redirect to another origin: it could carry the credential there.
pub(crate) async fn a_redirection_is_not_followed(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let elsewhere = StandIn::start(|_| Answer::json(200, &serde_json::json!({}))).await;
    let Ok(elsewhere) = elsewhere else { return failed("no port of the loopback interface is free") };
    let fixture = Fixture::new(subject, exchange).await?;
    let url = format!("{}/elsewhere", elsewhere.url());
    fixture.expect_error(exchange, &Trouble::Redirect(url), &[Unavailable]).await?;
    let requests = elsewhere.asked();
    ensure!(
        requests.is_empty(),
        "the provider followed a redirect to another origin: {} {}",
        requests[0].method,
        requests[0].path
    );
    Ok(())
}

/// Checks that a call after a failure succeeds: failures are not cached.
pub(crate) async fn it_recovers(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    for trouble in [Trouble::Status(503), Trouble::Cut] {
        fixture.world.trouble(exchange, &trouble).await?;
        if let CallResult::Correct = fixture.run().await? {
            return failed(format!("{trouble:?}: the call succeeded"));
        }
        fixture.world.calm().await;
        // A provider may have a cooldown before it fetches keys again.
        if exchange == Exchange::Keys {
            fixture.world.pass(Duration::from_secs(120)).await;
        }
        fixture.expect_correct("after the fault").await?;
        if exchange == Exchange::Keys {
            break;
        }
    }
    Ok(())
}
