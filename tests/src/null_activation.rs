//! An application that serves nothing.

use std::sync::Arc;

use harmony_host::{Activation, Capabilities, Prepared, Rejection, Snapshot, async_trait};

/// An application that accepts every configuration and serves none of it: for tests of the control side alone.
#[derive(Clone, Debug, Default)]
pub struct NullActivation(pub Capabilities);

#[derive(Debug)]
struct PreparedNothing;

#[async_trait]
impl Activation for NullActivation {
    fn capabilities(&self) -> Capabilities {
        self.0.clone()
    }

    async fn prepare(
        &self,
        _: &Arc<Snapshot>,
        _: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        Ok(Box::new(PreparedNothing))
    }
}

#[async_trait]
impl Prepared for PreparedNothing {
    async fn activate(&mut self) -> Result<(), Rejection> {
        Ok(())
    }

    async fn commit(self: Box<Self>) {}

    async fn rollback(self: Box<Self>) {}
}
