//! The [`Activation`] of the application: it rejects configurations that its router cannot serve, and activates others.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::extract::{Request, State};
use harmony_host::{Activation, Capabilities, Prepared, Rejection, Snapshot, async_trait};
use provider_api::RejectionClass::Activate;

use crate::table::Table;

/// The application. Clones share their state.
#[derive(Clone)]
pub(crate) struct Application {
    /// The live routing table; `None` until the first one is activated.
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

/// A prepared table, which can replace the live one.
struct Swap {
    application: Application,
    table: Arc<Table>,
    /// The replaced table; `None` until this one is live, `Some(None)` if there was no table before.
    before: Option<Option<Arc<Table>>>,
}

#[async_trait]
impl Prepared for Swap {
    async fn activate(&mut self) -> Result<(), Rejection> {
        self.before = Some(self.application.table.swap(Some(Arc::clone(&self.table))));
        crate::fault::inject().await;
        // Verifies that the new table is live. The path matches no route, so no backend gets the request. The response has
        // the generation of the table that it came from.
        let shown = crate::answer::answer(State(self.application.clone()), Request::default()).await;
        let live = shown.headers().get("x-generation") == Some(&self.table.snapshot.generation().into());
        live.then_some(()).ok_or_else(|| Rejection::of(Activate, "application", "another table is live"))
    }

    async fn commit(self: Box<Self>) {}

    async fn rollback(self: Box<Self>) {
        if let Some(before) = self.before {
            self.application.table.store(before);
        }
    }
}
