use provider_api::{ChangeId, ChangeStatus, Error, Result};

use crate::runbeam::Runbeam;
use crate::status::Asking;
use crate::wire::{Acknowledge, Acknowledged, Failed};

impl Runbeam {
    /// A verdict that the control plane does not want, since it has another, is Invalid: telling it once more
    /// would change nothing.
    pub(crate) async fn tell(&self, what: &str, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let credential = self.credential().await?;
        let call = self.call(what, Asking::AsGateway, &credential);
        match status {
            ChangeStatus::Received => {
                let request = Acknowledge { change_ids: [id.as_str()] };
                let answer: Acknowledged =
                    self.api.post(&call, "harmony/changes/acknowledge", &request).await?;
                match answer.failed.iter().any(|failed| failed == id.as_str()) {
                    true => {
                        Err(Error::not_found(format!("{what}: the control plane does not acknowledge it")))
                    }
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
