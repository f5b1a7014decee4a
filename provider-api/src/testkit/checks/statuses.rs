use std::time::Duration;

use super::kinds::of_status;
use crate::testkit::stage::Stage;
use crate::testkit::verdict::{Verdict, ensure};
use crate::testkit::{Exchange, Subject, Trouble};

async fn status_means_its_kind(subject: &dyn Subject, exchange: Exchange, statuses: &[u16]) -> Verdict {
    for &status in statuses {
        let stage = Stage::of(subject, exchange).await?;
        let error = stage.refused(exchange, &Trouble::Status(status), of_status(exchange, status)).await?;
        ensure!(error.retry_after().is_none(), "{status}: nobody said for how long to wait, and it does");
    }
    Ok(())
}

/// 401: the gateway's own credential, or the person's.
pub(crate) async fn a_refused_credential(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    status_means_its_kind(subject, exchange, &[401]).await
}

/// 403
pub(crate) async fn what_is_not_permitted(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    status_means_its_kind(subject, exchange, &[403]).await
}

/// 404
pub(crate) async fn what_is_not_there(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    status_means_its_kind(subject, exchange, &[404]).await
}

/// 400, 409 and 422: asking again changes nothing, unless something between the two is wrong.
pub(crate) async fn what_makes_no_sense(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    status_means_its_kind(subject, exchange, &[400, 409, 422]).await
}

/// 500, 502 and 504
pub(crate) async fn a_broken_control_plane(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    status_means_its_kind(subject, exchange, &[500, 502, 504]).await
}

/// 429 with Retry-After, which the one owner of retries needs to know.
pub(crate) async fn too_many_requests_says_when_to_come_back(
    subject: &dyn Subject,
    exchange: Exchange,
) -> Verdict {
    wait_is_passed_on(subject, exchange, 429).await
}

/// 503 with Retry-After.
pub(crate) async fn overload_says_when_to_come_back(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    wait_is_passed_on(subject, exchange, 503).await
}

async fn wait_is_passed_on(subject: &dyn Subject, exchange: Exchange, status: u16) -> Verdict {
    let stage = Stage::of(subject, exchange).await?;
    let wait = Duration::from_secs(17);
    let error = stage.refused(exchange, &Trouble::Wait(status, wait), of_status(exchange, status)).await?;
    let got = error.retry_after();
    ensure!(got == Some(wait), "{status}: asked to wait {wait:?}, and `retry_after` is {got:?}");
    Ok(())
}
