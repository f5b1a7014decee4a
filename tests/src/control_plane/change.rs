use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Rejection;
use super::id::ulid;
use super::state::State;

/// Where a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not yet announced; listed like a pending one.
    Queued,
    /// Waits for its gateway.
    Pending,
    /// The gateway has it.
    Acknowledged,
    /// The gateway works with it.
    Applied,
    /// The gateway refused it.
    Failed,
}

/// A change of a gateway's configuration and what became of it.
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
    /// Whether the gateway has yet to take it.
    pub fn is_waiting(&self) -> bool {
        matches!(self.status, Status::Queued | Status::Pending)
    }

    /// Whether the gateway gave its verdict.
    pub fn is_settled(&self) -> bool {
        matches!(self.status, Status::Applied | Status::Failed)
    }

    /// As lists show it.
    pub(super) fn listed(&self) -> Value {
        json!({
            "id": self.id, "status": self.status, "type": self.kind, "gateway_id": self.gateway_id,
            "created_at": self.created_at,
        })
    }

    /// Takes the acknowledgement; `false` when it is too late for one.
    pub(super) fn acknowledge(&mut self) -> bool {
        if self.is_waiting() {
            self.status = Status::Acknowledged;
            self.acknowledged_at = Some(Timestamp::now());
        }
        self.status == Status::Acknowledged
    }

    /// Takes the verdict. The same one again is fine: the answer to the first may have been lost. A change that has
    /// failed may be applied later, once what it needs is there; the other way round is a contradiction.
    pub(super) fn settle(&mut self, verdict: Verdict) -> Result<(), Rejection> {
        let wanted = verdict.status();
        if self.is_waiting() {
            let id = &self.id;
            return Err(Rejection::contradiction(format!("change {id} was never acknowledged")));
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
                _ => Err(Rejection::contradiction(format!(
                    "change {id} was {was:?} and is now called {wanted:?}"
                ))),
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

/// What a gateway says became of a change.
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
    /// Issues a change as it is, whether or not a gateway could take it. Gives its id.
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
