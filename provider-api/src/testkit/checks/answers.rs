//! Checks of the body of a response: correct, altered, or not from the control plane.

use super::kinds::kinds_of_malformed;
use crate::ErrorKind;
use crate::testkit::fixture::{Fixture, not_applicable};
use crate::testkit::outcome::CheckResult;
use crate::testkit::{Exchange, Subject, Trouble};

async fn expect_malformed(subject: &dyn Subject, exchange: Exchange, trouble: Trouble) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.expect_error(exchange, &trouble, kinds_of_malformed(exchange)).await.map(drop)
}

/// Checks that the call succeeds at all. Otherwise the other checks of the group prove nothing.
pub(crate) async fn the_right_answer(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    Fixture::new(subject, exchange).await?.expect_correct("without a fault").await
}

/// Checks that an HTML page with status 200, as captive proxies send it, is an error.
pub(crate) async fn a_page_of_a_proxy(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_malformed(subject, exchange, Trouble::Page(200)).await
}

/// Checks that an HTML page with status 502 is an error.
pub(crate) async fn a_page_with_an_error(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_malformed(subject, exchange, Trouble::Page(502)).await
}

pub(crate) async fn another_content_type(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_malformed(subject, exchange, Trouble::ContentType).await
}

pub(crate) async fn garbage(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    expect_malformed(subject, exchange, Trouble::Garbage).await
}

/// Checks that a response without the expected fields is an error.
pub(crate) async fn an_answer_of_another_shape(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    if exchange == Exchange::Report {
        return not_applicable("the response to a report may be empty");
    }
    expect_malformed(subject, exchange, Trouble::Shape).await
}

/// Checks that a blank required field is an error. A guessed value would hide the fault.
pub(crate) async fn blank_fields(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    if exchange == Exchange::Report {
        return not_applicable("the response to a report may be empty");
    }
    if exchange == Exchange::Keys {
        // A provider may skip unusable keys. Then the signing key is unknown and the token is denied.
        let fixture = Fixture::new(subject, exchange).await?;
        let kinds = [ErrorKind::Unavailable, ErrorKind::Denied];
        return fixture.expect_error(exchange, &Trouble::Blank, &kinds).await.map(drop);
    }
    expect_malformed(subject, exchange, Trouble::Blank).await
}

/// Checks that huge dates and sizes cause no panic. A success and an error are both acceptable.
pub(crate) async fn numbers_beyond_all_bounds(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.world.trouble(exchange, &Trouble::HugeNumbers).await?;
    fixture.run().await.map(drop)
}

/// Checks that unknown fields are ignored, so that a control plane can add some.
pub(crate) async fn fields_that_nobody_knows_are_no_error(
    subject: &dyn Subject,
    exchange: Exchange,
) -> CheckResult {
    let fixture = Fixture::new(subject, exchange).await?;
    fixture.world.trouble(exchange, &Trouble::MoreFields).await?;
    fixture.expect_correct("with unknown fields").await
}
