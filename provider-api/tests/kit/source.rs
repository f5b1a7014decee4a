use provider_api::testkit::Exchange;
use provider_api::{
    Attachment, Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, Error,
    ErrorKind, Pending, Result, async_trait,
};
use serde_json::{Value, json};

use crate::fellow::Fellow;
use crate::mutation::Mutation;

/// A field that must be there, and not blank.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    let text = value[field].as_str().filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Error::unavailable(format!("the answer has no usable `{field}`")))
}

#[async_trait]
impl ConfigSource for Fellow {
    async fn pending(&self) -> Result<Pending> {
        let this = &self.0;
        let version = match this.is(Mutation::VersionInTheFactory) {
            true => &this.factory.shared.version,
            false => &this.version,
        };
        let known = *version.lock().unwrap();
        if this.is(Mutation::UnchangedForEver) && known.is_some() {
            return Ok(Pending::Unchanged);
        }
        let (mut heads, mut page) = (Vec::new(), 0);
        loop {
            let ask = json!({ "known": known, "page": page });
            let answer = match this.ask(Exchange::Pending, "pending", ask).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && this.is(Mutation::AwayIsEmpty) => {
                    return Ok(Pending::Changes(Vec::new()));
                }
                other => other?,
            };
            if answer.is_null() && this.is(Mutation::UnchangedIsEmpty) {
                return Ok(Pending::Changes(Vec::new()));
            }
            if answer.is_null() {
                return Ok(Pending::Unchanged);
            }
            if this.is(Mutation::RemembersTooEarly) {
                *version.lock().unwrap() = answer["version"].as_u64();
                tokio::task::yield_now().await;
            }
            let changes = answer["changes"].as_array();
            let changes = match this.is(Mutation::AnyShapeIsAList) {
                true => Some(changes.map(Vec::as_slice).unwrap_or_default()),
                false => changes.map(Vec::as_slice),
            };
            let changes = changes.ok_or_else(|| Error::unavailable("the answer has no `changes`"))?;
            for change in changes {
                let id = match this.is(Mutation::BlankIsSkipped) {
                    true => text(change, "id").unwrap_or("blank"),
                    false => text(change, "id")?,
                };
                let id = ChangeId::new(id).ok_or_else(|| Error::unavailable("an id is none"))?;
                let kind = self.kind(text(change, "kind").unwrap_or("blank"));
                heads.push(ChangeHead { id, kind, created_at: None });
            }
            if answer["more"] != true || this.is(Mutation::FirstPageOnly) {
                *version.lock().unwrap() = answer["version"].as_u64();
                break;
            }
            page += 1;
        }
        if heads.is_empty() && this.is(Mutation::EmptyIsUnchanged) {
            return Ok(Pending::Unchanged);
        }
        if !this.is(Mutation::NewestFirst) {
            heads.reverse();
        }
        Ok(Pending::Changes(heads))
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let this = &self.0;
        if this.is(Mutation::OneSlot) {
            *this.factory.shared.slot.lock().unwrap() = id.to_string();
            tokio::task::yield_now().await;
        }
        let asked = match this.is(Mutation::OneSlot) {
            true => this.factory.shared.slot.lock().unwrap().clone(),
            false => id.to_string(),
        };
        let answer = this.ask(Exchange::Fetch, "fetch", json!({ "id": asked })).await?;
        if this.is(Mutation::FetchAcknowledges) {
            let received = json!({ "id": id.as_str(), "status": "received" });
            this.ask(Exchange::Report, "report", received).await?;
        }
        let mut document = text(&answer, "document")?.to_owned();
        if this.is(Mutation::TrimsDocuments) {
            document = document.trim().to_owned();
        }
        let given = ChangeId::new(text(&answer, "id")?).ok_or_else(|| Error::unavailable("an id is none"))?;
        let listed = answer["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |attachment: &Value| {
            let (name, content) = (text(attachment, "name")?, text(attachment, "content")?);
            Ok(Attachment { name: name.to_owned(), content: content.to_owned() })
        };
        let mut attachments = listed.iter().map(of).collect::<Result<Vec<_>>>()?;
        if this.is(Mutation::DropsAttachments) {
            attachments.clear();
        }
        Ok(Change { id: given, kind: self.kind(text(&answer, "kind")?), document, attachments })
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let this = &self.0;
        let (name, words) = match status {
            ChangeStatus::Received if this.is(Mutation::ReceivedIsApplied) => ("applied", String::new()),
            ChangeStatus::Received => ("received", String::new()),
            ChangeStatus::Applied => ("applied", String::new()),
            ChangeStatus::Rejected(_) if this.is(Mutation::RejectedIsApplied) => ("applied", String::new()),
            ChangeStatus::Rejected(why) if this.is(Mutation::ReasonsAreLost) => {
                ("rejected", why.class.to_string())
            }
            ChangeStatus::Rejected(why) if this.is(Mutation::ClassIsLost) => {
                ("rejected", format!("{}\n{}", why.summary, why.problems.join("\n")))
            }
            ChangeStatus::Rejected(why) => {
                ("rejected", format!("{}: {}\n{}", why.class, why.summary, why.problems.join("\n")))
            }
        };
        let key = format!("{id} {name}");
        let again = {
            let mut tried = this.factory.shared.tried.lock().unwrap();
            let again = tried.contains(&key);
            tried.push(key);
            again
        };
        match this.factory.mutation {
            Mutation::RepeatedReportIsInvalid if again => return Err(Error::invalid("it was reported")),
            Mutation::TriedIsReported if again => return Ok(()),
            Mutation::OneSlot => *this.factory.shared.slot.lock().unwrap() = id.to_string(),
            _ => {}
        }
        let ask = json!({ "id": id.as_str(), "status": name, "words": words });
        match this.ask(Exchange::Report, "report", ask).await {
            Err(error) if error.kind() == ErrorKind::NotFound && this.is(Mutation::UnknownReportIsFine) => {
                Ok(())
            }
            told => told.map(drop),
        }
    }

    fn cadence(&self) -> Cadence {
        self.0.cadence
    }
}

impl Fellow {
    fn kind(&self, text: &str) -> DocumentKind {
        match DocumentKind::from(text) {
            DocumentKind::Unknown(_) if self.0.is(Mutation::GuessesKinds) => DocumentKind::Gateway,
            kind => kind,
        }
    }
}
