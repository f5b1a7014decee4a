use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// How long a condition may take to come true. Far longer than it should; a test that gets here fails.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits until `look` gives `Ok`.
///
/// # Panics
/// With what `look` said last, when that takes too long.
pub async fn eventually<T, E, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    E: Debug,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + LIMIT;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(last) if Instant::now() > end => panic!("{what}: not within {LIMIT:?}; last: {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
