//! The source of changes.

use std::sync::PoisonError;

use provider_api::*;

use crate::provider::GitProvider;

#[async_trait]
impl ConfigSource for GitProvider {
    async fn pending(&self) -> Result<Pending> {
        let listed = *self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((revision, heads)) = self.run_blocking(move |branch| branch.pending(listed)).await? else {
            return Ok(Pending::Unchanged);
        };
        // Stored after the last await: a cancelled call has returned no list, so the next one must not be `Unchanged`.
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(revision);
        Ok(Pending::Changes(heads))
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let id = id.clone();
        self.run_blocking(move |branch| {
            let repository = branch.open()?;
            branch.find(&repository, &id)?.read(&repository)
        })
        .await
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let (id, status) = (id.clone(), status_text(status));
        self.run_blocking(move |branch| {
            branch.find(&branch.open()?, &id)?;
            branch.status_log.append(&id, &status)
        })
        .await
    }

    fn cadence(&self) -> Cadence {
        self.cadence
    }
}

fn status_text(status: &ChangeStatus) -> String {
    match status {
        ChangeStatus::Received => "received".to_owned(),
        ChangeStatus::Applied => "applied".to_owned(),
        ChangeStatus::Rejected(r) => {
            format!("rejected ({}): {}; {}", r.class, r.summary, r.problems.join("; "))
        }
    }
}
