//! Publication of documents to the control plane.

use provider_api::{DocumentKind, Publication, Published, Publisher, Result, async_trait};

use crate::api::missing_field;
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::wire::{Update, Updated};

#[async_trait]
impl Publisher for Runbeam {
    async fn publish(&self, publication: &Publication<'_>) -> Result<Published> {
        let action = format!("publishing a {}", publication.kind.as_str());
        self.api.with_deadline(&action, self.update(&action, publication)).await
    }
}

impl Runbeam {
    async fn update(&self, action: &str, publication: &Publication<'_>) -> Result<Published> {
        let credential = self.credential().await?;
        let call = self.call(action, Purpose::Resource, &credential);
        // The document of the gateway has the id of the gateway.
        let own = || credential.gateway_id.as_deref().filter(|_| *publication.kind == DocumentKind::Gateway);
        let id = publication.id.or_else(own);
        let update = Update { kind: publication.kind.as_str(), id, config: publication.document };
        let answer: Updated = self.api.post(&call, "harmony/update", &update).await?;
        match answer.data.id.trim().is_empty() {
            true => Err(missing_field(action, self.api.address(), "id")),
            false => Ok(Published {
                id: answer.data.id,
                created: answer.data.action.as_deref() == Some("created"),
            }),
        }
    }
}
