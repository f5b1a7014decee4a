use std::error::Error;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::kinds::of_status;
use crate::testkit::question::Told;
use crate::testkit::stage::{Stage, pointless, within};
use crate::testkit::verdict::{Verdict, ensure, failed};
use crate::testkit::{Exchange, Subject, Trouble, at_most, seen_in_error};

/// The most awaits of one call that are looked at.
const AWAITS: usize = 200;

/// How many ask at once.
const CROWD: usize = 24;

/// Dropped at each of its awaits, a call leaves nothing that is in the way of the next one.
pub(crate) async fn it_is_cancel_safe(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    for polls in 1..=AWAITS {
        let cut_short = at_most(polls, stage.question.ask(&*stage.provider));
        match within(&*stage.world, cut_short).await? {
            None => stage.ask_rightly(&format!("a call was dropped after poll {polls}")).await?,
            Some(Told::Right) => return Ok(()),
            Some(other) => return failed(format!("after {polls} calls that were dropped: {other:?}")),
        }
    }
    failed(format!("it did not end within {AWAITS} polls"))
}

/// Dropped while the control plane is silent, which is when hosts drop calls.
pub(crate) async fn it_can_be_dropped_in_silence(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.world.trouble(exchange, &Trouble::Silence).await?;
    for polls in [1, 2, 3, 5, 8] {
        // A call that is not woken any more in the silence is dropped where it waits.
        let asked = stage.question.ask(&*stage.provider);
        drop(tokio::time::timeout(std::time::Duration::from_millis(20), at_most(polls, asked)).await);
    }
    stage.world.calm().await;
    if exchange == Exchange::Keys {
        stage.world.pass(std::time::Duration::from_secs(120)).await;
    }
    stage.ask_rightly("a call was dropped in the middle of the silence").await
}

/// Many calls at once on one provider get the right answer each.
pub(crate) async fn many_at_once(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    let mut asking = JoinSet::new();
    for _ in 0..CROWD {
        let (question, provider) = (stage.question.clone(), Arc::clone(&stage.provider));
        asking.spawn(async move { question.ask(&*provider).await });
    }
    for told in within(&*stage.world, asking.join_all()).await? {
        ensure!(matches!(told, Told::Right), "one of {CROWD} at once: {told:?}");
    }
    Ok(())
}

/// There is one owner of retries, and it is not the provider.
pub(crate) async fn it_asks_once(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    if exchange == Exchange::Keys {
        return pointless("keys may be looked for in more than one place");
    }
    let stage = Stage::of(subject, exchange).await?;
    stage.ask_rightly("nothing is wrong").await?;
    let before = stage.world.asked()?;
    stage.ask_rightly("nothing is wrong").await?;
    let usual = stage.world.asked()? - before;
    stage.refused(exchange, &Trouble::Status(503), of_status(exchange, 503)).await?;
    let now = stage.world.asked()? - before - usual;
    ensure!(now <= usual.max(1), "a call asks {usual} times when all is well, and {now} times on a 503");
    Ok(())
}

/// No error says a secret, not even one that the control plane repeats.
pub(crate) async fn no_secret_in_errors(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
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
        stage.world.calm().await;
        if stage.world.trouble(exchange, &trouble).await.is_err() {
            continue;
        }
        if let Told::Refused(error) = stage.ask().await? {
            tried += 1;
            let seen = seen_in_error(&stage.world.canaries(), &error);
            ensure!(seen.is_none(), "{trouble:?}: the error shows {}", seen.unwrap_or_default());
        }
    }
    if tried == 0 { pointless("this exchange cannot fail") } else { Ok(()) }
}

/// An error is for the person who operates the gateway: it says what was tried, and its cause only once.
pub(crate) async fn errors_say_something_and_nothing_twice(
    subject: &dyn Subject,
    exchange: Exchange,
) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    let mut tried = 0;
    for trouble in [Trouble::Status(500), Trouble::Garbage, Trouble::Cut, Trouble::Unreachable] {
        stage.world.calm().await;
        if stage.world.trouble(exchange, &trouble).await.is_err() {
            continue;
        }
        if let Told::Refused(error) = stage.ask().await? {
            tried += 1;
            ensure!(error.to_string().trim().len() >= 8, "{trouble:?}: the error says {error:?}");
            let mut next: Option<&dyn Error> = Some(&error);
            while let Some((outer, inner)) = next.and_then(|outer| Some((outer, outer.source()?))) {
                let (said, cause) = (outer.to_string(), inner.to_string());
                let twice = cause.len() >= 8 && said.contains(&cause);
                ensure!(!twice, "{trouble:?}: `{said}` says its cause, and has it as a source as well");
                next = Some(inner);
            }
        }
    }
    if tried == 0 { pointless("this exchange cannot fail") } else { Ok(()) }
}
