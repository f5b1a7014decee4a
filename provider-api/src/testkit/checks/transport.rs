use std::time::Duration;

use super::kinds::of_nonsense;
use crate::ErrorKind::Unavailable;
use crate::testkit::question::Told;
use crate::testkit::stage::Stage;
use crate::testkit::verdict::{Verdict, ensure, failed};
use crate::testkit::{Answer, Exchange, StandIn, Subject, Trouble};

async fn broken(subject: &dyn Subject, exchange: Exchange, trouble: Trouble) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.refused(exchange, &trouble, &[Unavailable]).await.map(drop)
}

pub(crate) async fn a_cut_connection(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    broken(subject, exchange, Trouble::Cut).await
}

/// Half an answer that happens to be well formed would be the worst of all.
pub(crate) async fn half_an_answer(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    broken(subject, exchange, Trouble::HalfBody).await
}

/// All I/O has a deadline.
pub(crate) async fn silence_has_an_end(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    broken(subject, exchange, Trouble::Silence).await
}

/// All answers have a limit of size.
pub(crate) async fn an_endless_answer_has_an_end(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.refused(exchange, &Trouble::EndlessBody, of_nonsense(exchange)).await.map(drop)
}

/// The whole exchange has a deadline: one that only starts anew with every byte is none.
pub(crate) async fn an_answer_that_drips_has_an_end(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.refused(exchange, &Trouble::Drip, of_nonsense(exchange)).await.map(drop)
}

/// Slow is not silent.
pub(crate) async fn a_slow_answer_is_one(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.world.trouble(exchange, &Trouble::Delay(Duration::from_millis(40))).await?;
    stage.ask_rightly("the answer takes a moment").await
}

pub(crate) async fn a_control_plane_that_is_away(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    broken(subject, exchange, Trouble::Unreachable).await
}

/// Credentials go to the configured origin and nowhere else.
pub(crate) async fn a_redirection_is_not_followed(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let elsewhere = StandIn::start(|_| Answer::json(200, &serde_json::json!({}))).await;
    let Ok(elsewhere) = elsewhere else { return failed("no port of the loopback is free") };
    let stage = Stage::of(subject, exchange).await?;
    let url = format!("{}/elsewhere", elsewhere.url());
    stage.refused(exchange, &Trouble::Redirect(url), &[Unavailable]).await?;
    let asked = elsewhere.asked();
    ensure!(
        asked.is_empty(),
        "it followed a redirection to another origin: {} {}",
        asked[0].method,
        asked[0].path
    );
    Ok(())
}

/// A failure is not remembered: asking again later may succeed.
pub(crate) async fn it_recovers(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    for trouble in [Trouble::Status(503), Trouble::Cut] {
        stage.world.trouble(exchange, &trouble).await?;
        if let Told::Right = stage.ask().await? {
            return failed(format!("{trouble:?}: it answers as if nothing were wrong"));
        }
        stage.world.calm().await;
        // A provider may leave a control plane alone for a while before it asks for its keys again.
        if exchange == Exchange::Keys {
            stage.world.pass(Duration::from_secs(120)).await;
        }
        stage.ask_rightly("all is well again").await?;
        if exchange == Exchange::Keys {
            break;
        }
    }
    Ok(())
}
