//! The documents of the reference world.

use provider_api::testkit::{Cannot, DocumentWorld};
use provider_api::{DocumentKind, Result, async_trait};

use super::ReferenceWorld;

#[async_trait]
impl DocumentWorld for ReferenceWorld {
    fn document(&self) -> (DocumentKind, String) {
        (DocumentKind::Pipeline, "[pipelines.pushed]\nendpoints = []\n".to_owned())
    }

    fn changed(&self) -> String {
        "[pipelines.pushed]\nendpoints = [\"more\"]\n\n".to_owned()
    }

    fn unacceptable(&self) -> Result<(DocumentKind, String), Cannot> {
        Ok((DocumentKind::Pipeline, "unacceptable".to_owned()))
    }

    async fn held(&self, id: &str) -> Result<Option<String>, Cannot> {
        Ok(self.control_plane.state().documents.get(id).cloned())
    }
}
