use provider_api::{Publication, Published, Publisher, Result, async_trait};

use crate::runbeam::{Runbeam, blank};
use crate::status::Asking;
use crate::wire::{Update, Updated};

#[async_trait]
impl Publisher for Runbeam {
    async fn publish(&self, publication: &Publication<'_>) -> Result<Published> {
        let what = format!("pushing a {} up", publication.kind.as_str());
        self.api.bounded(&what, self.update(&what, publication)).await
    }
}

impl Runbeam {
    async fn update(&self, what: &str, publication: &Publication<'_>) -> Result<Published> {
        let credential = self.credential().await?;
        let call = self.call(what, Asking::ForResource, &credential);
        let update =
            Update { kind: publication.kind.as_str(), id: publication.id, config: publication.document };
        let answer: Updated = self.api.post(&call, "harmony/update", &update).await?;
        match answer.data.id.trim().is_empty() {
            true => Err(blank(what, "id")),
            false => Ok(Published { id: answer.data.id, created: answer.data.action == "created" }),
        }
    }
}
