use std::sync::PoisonError;

use provider_api::*;

use crate::git::Git;

#[async_trait]
impl ConfigSource for Git {
    async fn pending(&self) -> Result<Pending> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((moment, heads)) = self.off_thread(move |git| git.listing(seen)).await? else {
            return Ok(Pending::Unchanged);
        };
        // Only here: a call that was dropped has delivered nothing.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
        Ok(Pending::Changes(heads))
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let id = id.clone();
        self.off_thread(move |git| {
            let repository = git.open()?;
            git.find(&repository, &id)?.read(&repository)
        })
        .await
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let (id, line) = (id.clone(), line(status));
        self.off_thread(move |git| {
            git.find(&git.open()?, &id)?;
            git.reports.tell(&id, &line)
        })
        .await
    }

    fn cadence(&self) -> Cadence {
        self.cadence
    }
}

fn line(status: &ChangeStatus) -> String {
    let ChangeStatus::Rejected(RejectionReport { class, summary, problems }) = status else {
        return if *status == ChangeStatus::Applied { "applied" } else { "received" }.to_owned();
    };
    format!("rejected ({class}): {summary}; {}", problems.join("; "))
}
