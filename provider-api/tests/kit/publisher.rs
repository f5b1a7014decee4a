//! Pushing documents with the reference provider.

use provider_api::testkit::Exchange;
use provider_api::{Error, Publication, Published, Publisher, Result, async_trait};
use serde_json::json;

use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;
use crate::source::text;

#[async_trait]
impl Publisher for ReferenceProvider {
    async fn publish(&self, publication: &Publication<'_>) -> Result<Published> {
        let inner = &self.0;
        let id = publication.id.filter(|_| !inner.is(Mutation::AlwaysNewDocument));
        let document = match inner.is(Mutation::TrimsPushedDocuments) {
            true => publication.document.trim(),
            false => publication.document,
        };
        let body = json!({ "kind": publication.kind.as_str(), "id": id, "document": document });
        let answer = inner.authenticated_call(Exchange::Publish, "publish", body).await?;
        let id = match inner.is(Mutation::NoDocumentId) {
            true => " ".to_owned(),
            false => text(&answer, "id")?.to_owned(),
        };
        let created =
            answer["created"].as_bool().ok_or_else(|| Error::unavailable("the response has no `created`"))?;
        Ok(Published { id, created: created && !inner.is(Mutation::NeverCreated) })
    }
}
