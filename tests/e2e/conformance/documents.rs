//! The conformance kit's view of pushed documents.

use provider_api::testkit::{Cannot, DocumentWorld};
use provider_api::{DocumentKind, Result, async_trait};

use super::world::{GATEWAY, RunbeamWorld};

#[async_trait]
impl DocumentWorld for RunbeamWorld {
    fn document(&self) -> (DocumentKind, String) {
        (DocumentKind::Pipeline, "# Pushed.\n[pipelines.pushed]\nendpoints = []\n\n".to_owned())
    }

    fn changed(&self) -> String {
        "[pipelines.pushed]\nendpoints = [\"more\"]\n".to_owned()
    }

    fn unacceptable(&self) -> Result<(DocumentKind, String), Cannot> {
        Ok((DocumentKind::Pipeline, "this is no TOML".to_owned()))
    }

    /// Returns the document by its name: the control plane has only one.
    async fn held(&self, _: &str) -> Result<Option<String>, Cannot> {
        Ok(self.cloud.document(GATEWAY, "pipeline", "pushed"))
    }
}
