//! Checks of the call itself: cancellation, concurrency, retries and error messages.

use std::error::Error;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::kinds::kinds_of_status;
use crate::testkit::call::CallResult;
use crate::testkit::fixture::{Fixture, not_applicable, with_patience};
use crate::testkit::outcome::{CheckResult, counted, ensure, failed};
use crate::testkit::{Exchange, Subject, Trouble, at_most, seen_in_error};

/// The maximum number of await points at which a call is dropped.
const MAX_POLLS: usize = 200;

/// The number of concurrent calls.
const CONCURRENT_CALLS: usize = 24;

/// Checks that a call that was dropped, at each of its await points, does not block the next one.
pub(crate) async fn it_is_cancel_safe(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    for polls in 1..=MAX_POLLS {
        let limited = at_most(polls, fixture.call.run(&*fixture.provider));
        match with_patience(&*fixture.world, limited).await? {
            None => fixture.expect_correct(&format!("a call was dropped after poll {polls}")).await?,
            Some(CallResult::Correct) => return Ok(()),
            Some(other) => return failed(format!("after dropped calls, with {polls} polls: {other:?}")),
        }
    }
    failed(format!("the call did not end within {MAX_POLLS} polls"))
}

/// Checks a call that was dropped while the control plane is silent. That is when hosts drop calls.
pub(crate) async fn it_can_be_dropped_in_silence(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.world.trouble(exchange, &Trouble::Silence).await?;
    for polls in [1, 2, 3, 5, 8] {
        // The timeout drops a call that gets no further wake-up while the control plane is silent.
        let call = fixture.call.run(&*fixture.provider);
        drop(tokio::time::timeout(std::time::Duration::from_millis(20), at_most(polls, call)).await);
    }
    fixture.world.calm().await;
    if exchange == Exchange::Keys {
        fixture.world.pass(std::time::Duration::from_secs(120)).await;
    }
    fixture.expect_correct("a call was dropped while the control plane was silent").await
}

/// Checks that concurrent calls on one provider all succeed.
pub(crate) async fn many_at_once(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    let mut calls = JoinSet::new();
    for _ in 0..CONCURRENT_CALLS {
        let (call, provider) = (fixture.call.clone(), Arc::clone(&fixture.provider));
        calls.spawn(async move { call.run(&*provider).await });
    }
    for result in with_patience(&*fixture.world, calls.join_all()).await? {
        ensure!(
            matches!(result, CallResult::Correct),
            "one of {CONCURRENT_CALLS} concurrent calls: {result:?}"
        );
    }
    Ok(())
}

/// Checks that a failed call sends no more requests than a successful one: only the host retries.
pub(crate) async fn it_asks_once(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    if exchange == Exchange::Keys {
        return not_applicable("a provider may try several URLs for its keys");
    }
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.expect_correct("without a fault").await?;
    let before = fixture.world.asked()?;
    fixture.expect_correct("without a fault").await?;
    let usual = fixture.world.asked()? - before;
    fixture.expect_error(exchange, &Trouble::Status(503), kinds_of_status(exchange, 503)).await?;
    let now = fixture.world.asked()? - before - usual;
    let (sent, sent_now) = (counted(usual, "request"), counted(now, "request"));
    ensure!(now <= usual.max(1), "a call sends {sent} without a fault, and {sent_now} on a 503");
    Ok(())
}

/// Checks that errors show no secret, not even when the control plane quotes one.
pub(crate) async fn no_secret_in_errors(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    let mut tried = 0;
    for trouble in [
        Trouble::Quotes(401),
        Trouble::Quotes(403),
        Trouble::Quotes(422),
        Trouble::Quotes(500),
        Trouble::Status(401),
        Trouble::Garbage,
        Trouble::Shape,
        Trouble::Cut,
        Trouble::HalfBody,
    ] {
        fixture.world.calm().await;
        if fixture.world.trouble(exchange, &trouble).await.is_err() {
            continue;
        }
        if let CallResult::Failed(error) = fixture.run().await? {
            tried += 1;
            let seen = seen_in_error(&fixture.world.canaries(), &error);
            ensure!(seen.is_none(), "{trouble:?}: the error shows {}", seen.unwrap_or_default());
        }
    }
    if tried == 0 { not_applicable("the world cannot make this exchange fail") } else { Ok(()) }
}

/// Checks that errors have a message, and that the message does not repeat the cause, which logs print after
/// it.
pub(crate) async fn errors_say_something_and_nothing_twice(
    subject: &dyn Subject,
    exchange: Exchange,
) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    let mut tried = 0;
    for trouble in [Trouble::Status(500), Trouble::Garbage, Trouble::Cut, Trouble::Unreachable] {
        fixture.world.calm().await;
        if fixture.world.trouble(exchange, &trouble).await.is_err() {
            continue;
        }
        if let CallResult::Failed(error) = fixture.run().await? {
            tried += 1;
            ensure!(error.to_string().trim().len() >= 8, "{trouble:?}: the message is too short: {error:?}");
            let mut next: Option<&dyn Error> = Some(&error);
            while let Some((outer, inner)) = next.and_then(|outer| Some((outer, outer.source()?))) {
                let (message, cause) = (outer.to_string(), inner.to_string());
                let twice = cause.len() >= 8 && message.contains(&cause);
                ensure!(!twice, "{trouble:?}: the message `{message}` repeats its source");
                next = Some(inner);
            }
        }
    }
    if tried == 0 { not_applicable("the world cannot make this exchange fail") } else { Ok(()) }
}
