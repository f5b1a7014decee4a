//! Isolation from providers: a panic in one fails the call and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use provider_api::{Cadence, CredentialDetails, CredentialStatus, Error, Provider, Result};

/// Runs a call of a provider and turns a panic into an error: a faulty provider fails one call, not the task that
/// serves requests or applies changes.
///
/// # Errors
/// The error of the call; `Unavailable` after a panic.
pub(crate) async fn isolated<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    let mut call = pin!(call);
    std::future::poll_fn(move |cx| {
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_| {
            tracing::error!("a provider panicked; its call failed");
            Poll::Ready(Err(Error::unavailable("the provider failed")))
        })
    })
    .await
}

/// Runs a synchronous call of a provider; `None` when it panicked.
pub(crate) fn catch_panic<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call))
        .inspect_err(|_| tracing::error!("a provider panicked; its answer is missing"))
        .ok()
}

/// Returns how often the provider is polled; `None` when it has no changes or panicked.
pub(crate) fn cadence_of(provider: &dyn Provider) -> Option<Cadence> {
    catch_panic(|| provider.source().map(provider_api::ConfigSource::cadence))?
}

/// Returns the problem of the last list of changes; `None` also when the provider has no changes or panicked.
pub(crate) fn source_problem_of(provider: &dyn Provider) -> Option<String> {
    catch_panic(|| provider.source().and_then(provider_api::ConfigSource::problem))?
}

/// Returns the state of the gateway's credential; `None` when the provider needs none or panicked.
pub(crate) fn credential_status_of(provider: &dyn Provider) -> Option<CredentialStatus> {
    catch_panic(|| provider.enrollment().map(provider_api::Enrollment::credential_status))?
}

/// Returns what is known about the credential; `None` without enrollment, or after a panic.
pub(crate) fn credential_details_of(provider: &dyn Provider) -> Option<CredentialDetails> {
    catch_panic(|| provider.enrollment().map(provider_api::Enrollment::credential_details))?
}

/// Formats an error with its causes in one line.
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
    async fn panic_becomes_an_error() {
        let failed = isolated::<()>(async { panic!("from a provider") }).await;
        assert_eq!(failed.map_err(|e| e.kind()), Err(ErrorKind::Unavailable));
        assert_eq!(isolated(async { Ok(7) }).await.ok(), Some(7));
        assert_eq!((catch_panic(|| 7), catch_panic(|| -> u8 { panic!("from a provider") })), (Some(7), None));
    }
}
