//! The application as the host knows it: it refuses what its router cannot serve, and makes the rest live.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::{Request, State};
use harmony_host::{Activation, Capabilities, Prepared, Rejection, Snapshot, async_trait};
use provider_api::RejectionClass::Activate;

use crate::table::Table;

/// The application. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Application {
    /// The table that requests are answered from, swapped whole; `None` until the first is activated.
    pub(crate) table: Arc<ArcSwapOption<Table>>,
    pub(crate) client: reqwest::Client,
}

#[async_trait]
impl Activation for Application {
    fn capabilities(&self) -> Capabilities {
        let endpoints = Capabilities::new().with_endpoint("fhir").with_endpoint("http");
        endpoints.with_backend("memory").with_backend("http")
    }

    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        let table = Table::build(Arc::clone(candidate), serving)?;
        Ok(Box::new(Swap { application: self.clone(), table: Arc::new(table), before: None }))
    }
}

/// A table that can take the place of the one that is served.
struct Swap {
    application: Application,
    table: Arc<Table>,
    /// The table before, which at the start is none; known once this one is live.
    before: Option<Option<Arc<Table>>>,
}

#[async_trait]
impl Prepared for Swap {
    async fn activate(&mut self) -> Result<(), Rejection> {
        self.before = Some(self.application.table.swap(Some(Arc::clone(&self.table))));
        crate::fault::strike().await;
        // The path matches no route, so no backend hears of this. The answer tells which table it comes from.
        let shown = crate::answer::answer(State(self.application.clone()), Request::default()).await;
        let live = shown.headers().get("x-generation") == Some(&self.table.snapshot.generation().into());
        live.then_some(()).ok_or_else(|| Rejection::of(Activate, "application", "another table answers"))
    }

    async fn commit(self: Box<Self>) {}

    async fn rollback(self: Box<Self>) {
        if let Some(before) = self.before {
            self.application.table.store(before);
        }
    }
}
