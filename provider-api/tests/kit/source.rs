//! The changes of the reference provider.

use provider_api::testkit::Exchange;
use provider_api::{
    Attachment, Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, Error,
    ErrorKind, Pending, Result, async_trait,
};
use serde_json::{Value, json};

use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;

/// Returns a required field. Fails when it is missing or blank.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value[field].as_str().filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Error::unavailable(format!("the response has no usable `{field}`")))
}

#[async_trait]
impl ConfigSource for ReferenceProvider {
    async fn pending(&self) -> Result<Pending> {
        let inner = &self.0;
        let version = match inner.is(Mutation::VersionInFactory) {
            true => &inner.factory.shared.version,
            false => &inner.version,
        };
        let known = *version.lock().unwrap();
        if inner.is(Mutation::AlwaysUnchanged) && known.is_some() {
            return Ok(Pending::Unchanged);
        }
        let (mut heads, mut page) = (Vec::new(), 0);
        loop {
            let body = json!({ "known": known, "page": page });
            let answer = match inner.authenticated_call(Exchange::Pending, "pending", body).await {
                Err(error)
                    if error.kind() == ErrorKind::Unavailable
                        && inner.is(Mutation::UnavailableIsEmptyList) =>
                {
                    return Ok(Pending::Changes(Vec::new()));
                }
                other => other?,
            };
            if answer.is_null() && inner.is(Mutation::UnchangedIsEmptyList) {
                return Ok(Pending::Changes(Vec::new()));
            }
            if answer.is_null() {
                return Ok(Pending::Unchanged);
            }
            if inner.is(Mutation::RemembersVersionEarly) {
                *version.lock().unwrap() = answer["version"].as_u64();
                tokio::task::yield_now().await;
            }
            let changes = answer["changes"].as_array();
            let changes = match inner.is(Mutation::AnyShapeIsList) {
                true => Some(changes.map(Vec::as_slice).unwrap_or_default()),
                false => changes.map(Vec::as_slice),
            };
            let changes = changes.ok_or_else(|| Error::unavailable("the response has no `changes`"))?;
            for change in changes {
                heads.push(self.head(change)?);
            }
            if answer["more"] != true || inner.is(Mutation::FirstPageOnly) {
                *version.lock().unwrap() = answer["version"].as_u64();
                break;
            }
            page += 1;
        }
        if heads.is_empty() && inner.is(Mutation::EmptyListIsUnchanged) {
            return Ok(Pending::Unchanged);
        }
        if !inner.is(Mutation::NewestFirst) {
            heads.reverse();
        }
        Ok(Pending::Changes(heads))
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let inner = &self.0;
        if inner.is(Mutation::OneSlot) {
            *inner.factory.shared.slot.lock().unwrap() = id.to_string();
            tokio::task::yield_now().await;
        }
        let requested = match inner.is(Mutation::OneSlot) {
            true => inner.factory.shared.slot.lock().unwrap().clone(),
            false => id.to_string(),
        };
        let answer = inner.authenticated_call(Exchange::Fetch, "fetch", json!({ "id": requested })).await?;
        if inner.is(Mutation::FetchAcknowledges) {
            let received = json!({ "id": id.as_str(), "status": "received" });
            inner.authenticated_call(Exchange::Report, "report", received).await?;
        }
        let mut document = text(&answer, "document")?.to_owned();
        if inner.is(Mutation::TrimsDocuments) {
            document = document.trim().to_owned();
        }
        let given = ChangeId::new(text(&answer, "id")?)
            .ok_or_else(|| Error::unavailable("the response has an invalid id"))?;
        let listed = answer["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |attachment: &Value| {
            let (name, content) = (text(attachment, "name")?, text(attachment, "content")?);
            Ok(Attachment { name: name.to_owned(), content: content.to_owned() })
        };
        let mut attachments = listed.iter().map(of).collect::<Result<Vec<_>>>()?;
        if inner.is(Mutation::DropsAttachments) {
            attachments.clear();
        }
        Ok(Change { id: given, kind: self.kind(text(&answer, "kind")?), document, attachments })
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let inner = &self.0;
        let (name, words) = match status {
            ChangeStatus::Received if inner.is(Mutation::ReceivedIsApplied) => ("applied", String::new()),
            ChangeStatus::Received => ("received", String::new()),
            ChangeStatus::Applied => ("applied", String::new()),
            ChangeStatus::Rejected(_) if inner.is(Mutation::RejectedIsApplied) => ("applied", String::new()),
            ChangeStatus::Rejected(why) if inner.is(Mutation::DropsReasons) => {
                ("rejected", why.class.to_string())
            }
            ChangeStatus::Rejected(why) if inner.is(Mutation::DropsClass) => {
                ("rejected", format!("{}\n{}", why.summary, why.problems.join("\n")))
            }
            ChangeStatus::Rejected(why) => {
                ("rejected", format!("{}: {}\n{}", why.class, why.summary, why.problems.join("\n")))
            }
        };
        let key = format!("{id} {name}");
        let again = {
            let mut tried = inner.factory.shared.tried.lock().unwrap();
            let again = tried.contains(&key);
            tried.push(key);
            again
        };
        match inner.factory.mutation {
            Mutation::RepeatedReportIsInvalid if again => {
                return Err(Error::invalid("the status was reported before"));
            }
            Mutation::AttemptIsReported if again => return Ok(()),
            Mutation::OneSlot => *inner.factory.shared.slot.lock().unwrap() = id.to_string(),
            _ => {}
        }
        let body = json!({ "id": id.as_str(), "status": name, "words": words });
        match inner.authenticated_call(Exchange::Report, "report", body).await {
            Err(error) if error.kind() == ErrorKind::NotFound && inner.is(Mutation::UnknownReportIsOk) => {
                Ok(())
            }
            result => result.map(drop),
        }
    }

    fn cadence(&self) -> Cadence {
        self.0.cadence
    }
}

impl ReferenceProvider {
    fn head(&self, change: &Value) -> Result<ChangeHead> {
        let id = match self.0.is(Mutation::BlankIsSkipped) {
            true => text(change, "id").unwrap_or("blank"),
            false => text(change, "id")?,
        };
        let id = ChangeId::new(id).ok_or_else(|| Error::unavailable("the response has an invalid id"))?;
        let kind = self.kind(text(change, "kind").unwrap_or("blank"));
        Ok(ChangeHead { id, kind, created_at: None })
    }

    fn kind(&self, text: &str) -> DocumentKind {
        match DocumentKind::from(text) {
            DocumentKind::Unknown(_) if self.0.is(Mutation::GuessesKinds) => DocumentKind::Gateway,
            kind => kind,
        }
    }
}
