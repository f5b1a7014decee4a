//! The calls of a provider about changes: side by side, up to the limit of the provider.

use std::sync::Arc;

use provider_api::{Change, ChangeId, ChangeStatus, Error, Provider, Result};
use tokio::sync::Semaphore;

use crate::providers::PrimaryProvider;
use crate::providers::isolate::catch_panic;
use crate::sync::call::{CALL_LIMIT, bounded};

/// The largest number of calls under way, whatever the provider permits: each one holds a body in memory.
const WIDEST: usize = 64;

/// A provider whose calls about changes share one limit. A cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    provider: Arc<dyn Provider>,
    permits: Arc<Semaphore>,
    width: usize,
}

impl Caller {
    pub(super) fn new(primary: &PrimaryProvider) -> Self {
        let provider = Arc::clone(&primary.provider);
        let width = catch_panic(|| provider.source().map(|source| source.parallelism().get())).flatten();
        let width = width.unwrap_or(1).min(WIDEST);
        Self { provider, permits: Arc::new(Semaphore::new(width)), width }
    }

    /// Returns the caller of the same provider with other settings that do not matter here.
    pub(super) fn renewed(&self, primary: &PrimaryProvider) -> Self {
        let new = Self::new(primary);
        match new.width == self.width {
            true => Self { permits: Arc::clone(&self.permits), ..new },
            false => new,
        }
    }

    /// Returns the number of calls that may be under way.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Returns whether the provider takes reports.
    pub(super) fn has_source(&self) -> bool {
        self.provider.source().is_some()
    }

    /// Fetches a change.
    ///
    /// # Errors
    /// As [`bounded`].
    pub(super) async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let source = self.provider.source().ok_or_else(no_source)?;
        let _permit = self.permits.acquire().await;
        bounded(CALL_LIMIT, source.fetch(id)).await
    }

    /// Reports the status of a change.
    ///
    /// # Errors
    /// As [`bounded`].
    pub(super) async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let source = self.provider.source().ok_or_else(no_source)?;
        let _permit = self.permits.acquire().await;
        bounded(CALL_LIMIT, source.report(id, status)).await
    }
}

fn no_source() -> Error {
    Error::invalid("the provider has no source of changes")
}
