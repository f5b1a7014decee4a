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

    /// There is one document of that name, whatever its id.
    async fn held(&self, _: &str) -> Result<Option<String>, Cannot> {
        Ok(self.cloud.document(GATEWAY, "pipeline", "pushed"))
    }
}
