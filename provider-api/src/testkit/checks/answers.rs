use super::kinds::of_nonsense;
use crate::ErrorKind;
use crate::testkit::stage::{Stage, pointless};
use crate::testkit::verdict::Verdict;
use crate::testkit::{Exchange, Subject, Trouble};

async fn nonsense(subject: &dyn Subject, exchange: Exchange, trouble: Trouble) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.refused(exchange, &trouble, of_nonsense(exchange)).await.map(drop)
}

/// Without this, none of the others of its family would mean anything.
pub(crate) async fn the_right_answer(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    Stage::of(subject, exchange).await?.ask_rightly("nothing is wrong").await
}

/// A page with status 200 is a proxy talking, not the control plane.
pub(crate) async fn a_page_of_a_proxy(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    nonsense(subject, exchange, Trouble::Page(200)).await
}

/// A page says nothing about what was asked, whatever is in it.
pub(crate) async fn a_page_with_an_error(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    nonsense(subject, exchange, Trouble::Page(502)).await
}

pub(crate) async fn another_content_type(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    nonsense(subject, exchange, Trouble::ContentType).await
}

pub(crate) async fn garbage(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    nonsense(subject, exchange, Trouble::Garbage).await
}

/// An answer to nothing that was asked.
pub(crate) async fn an_answer_of_another_shape(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    if exchange == Exchange::Report {
        return pointless("the answer to a report need not say anything");
    }
    nonsense(subject, exchange, Trouble::Shape).await
}

/// What is blank where something must stand is an error, never a guess.
pub(crate) async fn blank_fields(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    if exchange == Exchange::Report {
        return pointless("the answer to a report need not say anything");
    }
    if exchange == Exchange::Keys {
        // Keys that are none may be left out of the set, and then nothing is signed with one of them.
        let stage = Stage::of(subject, exchange).await?;
        let kinds = [ErrorKind::Unavailable, ErrorKind::Denied];
        return stage.refused(exchange, &Trouble::Blank, &kinds).await.map(drop);
    }
    nonsense(subject, exchange, Trouble::Blank).await
}

/// Dates that no clock can show and lengths that no memory has: an answer or an error, and no panic.
pub(crate) async fn numbers_beyond_all_bounds(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.world.trouble(exchange, &Trouble::HugeNumbers).await?;
    stage.ask().await.map(drop)
}

/// Control planes grow; a provider must not break because one did.
pub(crate) async fn fields_that_nobody_knows_are_no_error(
    subject: &dyn Subject,
    exchange: Exchange,
) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    stage.world.trouble(exchange, &Trouble::MoreFields).await?;
    stage.ask_rightly("there are more fields than it knows").await
}
