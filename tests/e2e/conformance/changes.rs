//! The conformance kit's view of changes.

use std::time::Duration;

use provider_api::testkit::{Cannot, ChangeWorld, Heard};
use provider_api::{Attachment, Cadence, ChangeId, DocumentKind, Result, async_trait};

use super::world::{GATEWAY, RunbeamWorld};

#[async_trait]
impl ChangeWorld for RunbeamWorld {
    async fn offer(&self, kind: &DocumentKind, document: &str) -> Result<ChangeId, Cannot> {
        Ok(ChangeId::new(self.cloud.change(GATEWAY, kind.as_str(), document)).unwrap())
    }

    async fn offer_with_attachments(&self) -> Result<(ChangeId, Vec<Attachment>), Cannot> {
        let content = "[{\"operation\": \"shift\"}]";
        let name = self.cloud.transform(GATEWAY, "flatten", content);
        let document = format!(
            "[pipelines.x]\nmiddleware = [\"t\"]\n[middleware.t]\ntype = \"transform\"\n\
             options.spec_path = \"{name}.json\"\n"
        );
        let id = self.offer(&DocumentKind::Pipeline, &document).await?;
        Ok((id, vec![Attachment { name, content: content.to_owned() }]))
    }

    fn unknown(&self) -> ChangeId {
        ChangeId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap()
    }

    async fn heard(&self, id: &ChangeId) -> Result<Vec<Heard>, Cannot> {
        let change = self.cloud.view(id.as_str());
        let words = || {
            let details = change.error_details.clone().unwrap_or_default().join("\n");
            format!("{}\n{details}", change.error_message.clone().unwrap_or_default())
        };
        let heard = [
            change.acknowledged_at.map(|_| Heard::Received),
            change.applied_at.map(|_| Heard::Applied),
            change.failed_at.map(|_| Heard::Rejected(words())),
        ];
        Ok(heard.into_iter().flatten().collect())
    }

    fn cadence(&self) -> Cadence {
        Cadence::Every(Duration::from_secs(45))
    }
}
