//! The changes of the reference world.

use provider_api::testkit::{Cannot, ChangeWorld, Heard};
use provider_api::{Attachment, Cadence, ChangeId, DocumentKind, Result, async_trait};

use super::ReferenceWorld;
use crate::control_plane::StoredChange;
use crate::factory::INTERVAL;

impl ReferenceWorld {
    fn put(&self, kind: &DocumentKind, document: &str, attachments: Vec<Attachment>) -> ChangeId {
        let mut state = self.control_plane.state();
        state.version += 1;
        let id = format!("change-{}", state.version);
        state.changes.push(StoredChange {
            id: id.clone(),
            kind: kind.as_str().to_owned(),
            document: document.to_owned(),
            attachments,
            reports: Vec::new(),
        });
        ChangeId::new(id).unwrap()
    }
}

#[async_trait]
impl ChangeWorld for ReferenceWorld {
    async fn offer(&self, kind: &DocumentKind, document: &str) -> Result<ChangeId, Cannot> {
        Ok(self.put(kind, document, Vec::new()))
    }

    async fn offer_with_attachments(&self) -> Result<(ChangeId, Vec<Attachment>), Cannot> {
        let attachments = vec![Attachment { name: "flatten".to_owned(), content: "[]".to_owned() }];
        Ok((self.put(&DocumentKind::Pipeline, "[pipelines.x]\n", attachments.clone()), attachments))
    }

    fn unknown(&self) -> ChangeId {
        ChangeId::new("change-0").unwrap()
    }

    async fn heard(&self, id: &ChangeId) -> Result<Vec<Heard>, Cannot> {
        let state = self.control_plane.state();
        Ok(state.changes.iter().find(|change| change.id == id.as_str()).unwrap().reports.clone())
    }

    fn cadence(&self) -> Cadence {
        Cadence::Every(INTERVAL)
    }
}
