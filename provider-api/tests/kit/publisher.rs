use provider_api::testkit::Exchange;
use provider_api::{Error, Publication, Published, Publisher, Result, async_trait};
use serde_json::json;

use crate::fellow::Fellow;
use crate::mutation::Mutation;
use crate::source::text;

#[async_trait]
impl Publisher for Fellow {
    async fn publish(&self, publication: &Publication<'_>) -> Result<Published> {
        let this = &self.0;
        let id = publication.id.filter(|_| !this.is(Mutation::AlwaysANewDocument));
        let document = match this.is(Mutation::PushesTrimmed) {
            true => publication.document.trim(),
            false => publication.document,
        };
        let ask = json!({ "kind": publication.kind.as_str(), "id": id, "document": document });
        let answer = this.ask(Exchange::Publish, "publish", ask).await?;
        let id = match this.is(Mutation::NoDocumentId) {
            true => " ".to_owned(),
            false => text(&answer, "id")?.to_owned(),
        };
        let created = answer["created"].as_bool().ok_or_else(|| Error::unavailable("created, or not?"))?;
        Ok(Published { id, created: created && !this.is(Mutation::NeverCreated) })
    }
}
