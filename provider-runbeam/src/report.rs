//! Reports of the status of a change.

use provider_api::{ChangeId, ChangeStatus, Error, Result};

use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::wire::{Acknowledge, Acknowledged, Failed};

impl Runbeam {
    /// Sends the status of a change to the control plane.
    ///
    /// # Errors
    /// Invalid when the control plane already has another verdict. A retry cannot succeed then.
    pub(crate) async fn send_status(&self, action: &str, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let credential = self.credential().await?;
        let call = self.call(action, Purpose::Gateway, &credential);
        match status {
            ChangeStatus::Received => {
                let request = Acknowledge { change_ids: [id.as_str()] };
                let answer: Acknowledged =
                    self.api.post(&call, "harmony/changes/acknowledge", &request).await?;
                match answer.has_failed(id.as_str()) {
                    true => Err(Error::not_found(format!(
                        "{action}: the control plane at {} did not accept the acknowledgement",
                        self.api.address()
                    ))),
                    false => Ok(()),
                }
            }
            ChangeStatus::Applied => {
                let path = format!("harmony/change/{id}/applied");
                self.api.post::<serde_json::Value>(&call, &path, &serde_json::json!({})).await.map(drop)
            }
            ChangeStatus::Rejected(rejection) => {
                let error = format!("{}: {}", rejection.class, rejection.summary);
                let request = Failed { error: &error, details: &rejection.problems };
                let path = format!("harmony/change/{id}/failed");
                self.api.post::<serde_json::Value>(&call, &path, &request).await.map(drop)
            }
        }
    }
}
