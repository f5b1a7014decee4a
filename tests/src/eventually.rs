//! Waiting for a condition.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// The limit of a wait. Generous: a test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(20);

/// Polls `check` until it returns `Ok`.
///
/// # Panics
/// Panics with the last error of `check` if that takes too long.
pub async fn eventually<T, E, F>(what: &str, mut check: impl FnMut() -> F) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + LIMIT;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(last) if Instant::now() > end => panic!("{what}: not within {LIMIT:?}; last: {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
