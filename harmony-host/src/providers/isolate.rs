use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use provider_api::{Cadence, CredentialStatus, Error, Provider, Result};

/// Runs a call of a provider. One that panics has failed, and that is all: the request gets its answer, and
/// what called goes on.
pub(crate) async fn isolated<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let mut call = pin!(call);
    std::future::poll_fn(move |cx| {
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_| {
            tracing::error!("a provider panicked; the call has failed");
            Poll::Ready(Err(Error::unavailable("the provider failed")))
        })
    })
    .await
}

/// The same for a question that a provider answers at once; `None` when it panicked.
pub(crate) fn catch_panic<T>(question: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(question))
        .inspect_err(|_| tracing::error!("a provider panicked over a question"))
        .ok()
}

/// When a provider is asked; never, when it panics over it.
pub(crate) fn cadence_of(provider: &dyn Provider) -> Option<Cadence> {
    catch_panic(|| provider.source().map(provider_api::ConfigSource::cadence))?
}

/// Whether the gateway is authorized, where somebody has to be.
pub(crate) fn credential_status_of(provider: &dyn Provider) -> Option<CredentialStatus> {
    catch_panic(|| provider.enrollment().map(provider_api::Enrollment::credential_status))?
}

/// An error with its causes, for people.
pub(crate) fn error_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use provider_api::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_call() {
        let failed = isolated::<()>(async { panic!("from a provider") }).await;
        assert_eq!(failed.map_err(|e| e.kind()), Err(ErrorKind::Unavailable));
        assert_eq!(isolated(async { Ok(7) }).await.ok(), Some(7));
        assert_eq!((catch_panic(|| 7), catch_panic(|| -> u8 { panic!("from a provider") })), (Some(7), None));
    }
}
