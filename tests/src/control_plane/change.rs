//! Changes of a gateway's configuration, and their verdicts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::ulid;
use super::response::ApiError;
use super::state::State;

/// The status of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not yet announced to the gateway; listed like a pending change.
    Queued,
    /// Not yet acknowledged by the gateway.
    Pending,
    /// Received by the gateway.
    Acknowledged,
    /// Live at the gateway.
    Applied,
    /// Rejected by the gateway.
    Failed,
}

/// A change of a gateway's configuration and its verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the protocol")]
pub struct ChangeView {
    pub id: String,
    pub status: Status,
    #[serde(rename = "type")]
    pub kind: String,
    pub gateway_id: String,
    pub pipeline_id: Option<String>,
    pub toml_config: String,
    pub metadata: Option<Value>,
    pub created_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub applied_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub error_message: Option<String>,
    pub error_details: Option<Vec<String>>,
}

impl ChangeView {
    /// Returns true if the gateway has not acknowledged the change.
    pub fn is_waiting(&self) -> bool {
        matches!(self.status, Status::Queued | Status::Pending)
    }

    /// Returns true if the gateway has reported a verdict.
    pub fn is_settled(&self) -> bool {
        matches!(self.status, Status::Applied | Status::Failed)
    }

    /// The kind and the name of the document that it sends, if it sends one of those stored here.
    pub(super) fn document(&self) -> Option<(&str, &str)> {
        Some((&self.kind, self.metadata.as_ref()?["name"].as_str()?))
    }

    /// The entry in a list: metadata only.
    pub(super) fn list_entry(&self) -> Value {
        json!({
            "id": self.id, "status": self.status, "type": self.kind, "gateway_id": self.gateway_id,
            "created_at": self.created_at,
        })
    }

    /// Records an acknowledgement. Returns false if the change already has a verdict.
    pub(super) fn acknowledge(&mut self) -> bool {
        if self.is_waiting() {
            self.status = Status::Acknowledged;
            self.acknowledged_at = Some(Timestamp::now());
        }
        self.status == Status::Acknowledged
    }

    /// Records a verdict. A repeated verdict is accepted, since the first response may have been lost. A failed change
    /// may be applied later, when its dependencies exist. An applied change cannot fail: 409.
    pub(super) fn settle(&mut self, verdict: Verdict) -> Result<(), ApiError> {
        let wanted = verdict.status();
        if self.is_waiting() {
            let id = &self.id;
            return Err(ApiError::conflict(format!("change {id} was not acknowledged")));
        }
        if self.is_settled() {
            let (id, was) = (&self.id, self.status);
            return match (was, wanted) {
                (Status::Failed, Status::Applied) => {
                    self.status = Status::Applied;
                    self.applied_at = Some(Timestamp::now());
                    (self.failed_at, self.error_message, self.error_details) = (None, None, None);
                    Ok(())
                }
                (was, wanted) if was == wanted => Ok(()),
                _ => Err(ApiError::conflict(format!("change {id} is {was:?} and cannot become {wanted:?}"))),
            };
        }
        self.status = wanted;
        match verdict {
            Verdict::Applied => self.applied_at = Some(Timestamp::now()),
            Verdict::Failed { error, details } => {
                self.failed_at = Some(Timestamp::now());
                self.error_message = Some(error);
                self.error_details = details;
            }
        }
        Ok(())
    }
}

/// The verdict of a gateway on a change.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Applied,
    Failed { error: String, details: Option<Vec<String>> },
}

impl Verdict {
    fn status(&self) -> Status {
        match self {
            Self::Applied => Status::Applied,
            Self::Failed { .. } => Status::Failed,
        }
    }
}

impl State {
    /// Issues a change without validation and returns its id.
    pub(super) fn issue(
        &mut self,
        gateway_id: &str,
        kind: &str,
        toml: &str,
        metadata: Option<Value>,
    ) -> String {
        let id = ulid();
        let document = metadata.as_ref().and_then(|metadata| metadata["id"].as_str());
        self.changes.push(ChangeView {
            id: id.clone(),
            status: Status::Pending,
            kind: kind.to_owned(),
            gateway_id: gateway_id.to_owned(),
            pipeline_id: document.filter(|_| kind == "pipeline").map(str::to_owned),
            toml_config: toml.to_owned(),
            metadata,
            created_at: Timestamp::now(),
            acknowledged_at: None,
            applied_at: None,
            failed_at: None,
            error_message: None,
            error_details: None,
        });
        id
    }

    pub(super) fn change(&self, id: &str) -> Option<&ChangeView> {
        self.changes.iter().find(|change| change.id == id)
    }

    pub(super) fn change_mut(&mut self, id: &str) -> Option<&mut ChangeView> {
        self.changes.iter_mut().find(|change| change.id == id)
    }
}
