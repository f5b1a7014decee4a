//! The end of a pass: when the provider is asked again, and what the status shows.

use std::error::Error as _;
use std::io;

use provider_api::{CredentialStatus, DisplayDuration, Error};
use tokio::time::Instant;

use crate::providers::PrimaryProvider;
use crate::providers::isolate::{credential_status_of, error_chain};
use crate::storage::complaint;
use crate::sync::Backoff;
use crate::sync::call::is_primary;
use crate::sync::schedule::Schedule;
use crate::sync::sync_loop::SyncLoop;
use crate::sync::sync_loop::paused::RELIST;

/// Returns the kind of the I/O error that an error comes from, such as one of the journal.
fn disk_error(error: &Error) -> Option<io::ErrorKind> {
    error.source()?.downcast_ref::<io::Error>().map(io::Error::kind)
}

impl SyncLoop {
    pub(super) fn succeeded(&mut self, asked: Instant) {
        if self.failures > 0 {
            tracing::info!("the provider answers again");
        }
        self.end_failures();
        self.schedule = match self.is_listed_again() {
            true => Schedule::after(RELIST),
            false => Schedule::steady(self.backoff.spread(), asked),
        };
        self.status.record_pass(None);
        // The provider responds again, so undelivered verdicts are reported now.
        self.outbox.answered();
    }

    /// Forgets the failures.
    pub(super) fn end_failures(&mut self) {
        self.backoff.succeeded();
        self.refusals.succeeded();
        (self.failures, self.unauthorized) = (0, false);
    }

    pub(super) fn failed(&mut self, primary: &PrimaryProvider, error: &Error) {
        if !is_primary(&self.primary, primary) {
            return;
        }
        let provider = &primary.provider;
        let credential = credential_status_of(&**provider);
        self.unauthorized =
            credential.is_some_and(|credential| !matches!(credential, CredentialStatus::Valid { .. }));
        self.failures = self.failures.saturating_add(1);
        // A refusal is often short: a deployment, a clock, a token in renewal. It is asked about after seconds first, also
        // after an outage, then ever more slowly, and never as soon as after a lost connection. Neither count resets
        // the other: a control plane that fails in turns is not asked every second.
        let wait = match self.unauthorized {
            true => {
                let wait = self.refusals.failed(error.retry_after());
                wait.max(Backoff::bound(self.refusals.failures()) / 2)
            }
            false => self.backoff.failed(error.retry_after()),
        };
        self.schedule = Schedule::after(wait);
        let message = error_chain(error);
        let failures = self.failures;
        let (name, wait) = (provider.name(), DisplayDuration(wait));
        let times =
            if failures == 1 { "failed".to_owned() } else { format!("failed {failures} times in a row") };
        let unless = if self.unauthorized { ", or when the gateway is authorized" } else { "" };
        let line = format!("the sync with `{name}` {times}; it is retried in {wait}{unless}");
        match disk_error(error).is_none_or(|kind| complaint::is_of("journal", kind)) {
            true => tracing::warn!(error = message, "{line}"),
            false => tracing::info!(error = message, "{line}"),
        }
        self.status.record_pass(Some((message, failures)));
    }
}
