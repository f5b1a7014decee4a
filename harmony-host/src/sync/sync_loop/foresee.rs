//! Foreseeing the result of one change, alone.

use std::sync::Arc;

use provider_api::{ChangeId, Error, Result};
use tokio::sync::{mpsc, oneshot};

use crate::apply::{Asked, Command, Foreseen, JournaledChange};
use crate::journal::Journal;
use crate::providers::PrimaryProvider;
use crate::sync::apply_ready::journaled;
use crate::sync::caller::Caller;
use crate::sync::sync_loop::SyncLoop;

/// The answer to the one who asks.
type Reply = oneshot::Sender<Result<Foreseen>>;

/// A change that is to be foreseen.
struct Foreseeing {
    primary: PrimaryProvider,
    journal: Arc<Journal>,
    id: ChangeId,
    apply: mpsc::Sender<Command>,
}

impl SyncLoop {
    /// Foresees the result of a change, beside the loop. The change is neither recorded nor acknowledged.
    pub(super) async fn foresee(&mut self, id: ChangeId, reply: Reply) {
        let Some(primary) = self.followed.clone() else {
            let error = Error::invalid("the configuration has no remote provider, so there are no changes");
            let _ = reply.send(Err(error));
            return;
        };
        let journal = match self.pass.open(&primary).await {
            Ok(journal) => journal,
            Err(error) => {
                let _ = reply.send(Err(error));
                return;
            }
        };
        let apply = self.pass.apply.clone();
        let foreseeing = Foreseeing { primary, journal, id, apply };
        tokio::spawn(async move { reply.send(foreseeing.run().await) });
    }
}

impl Foreseeing {
    async fn run(self) -> Result<Foreseen> {
        let change = self.change().await?;
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, foreseen) = oneshot::channel();
        let command = Command::Foresee(Asked::Change(Box::new(change)), reply);
        self.apply.send(command).await.map_err(|_| stopping())?;
        foreseen.await.map_err(|_| stopping())
    }

    /// Returns the change from the journal, or from the provider if the journal does not have its document.
    async fn change(&self) -> Result<JournaledChange> {
        let Self { primary, journal, id, .. } = self;
        let entry = journal.find(&primary.source, id);
        if let Some(change) = entry.as_ref().and_then(|entry| journaled(primary, journal, entry)) {
            return Ok(change);
        }
        let change = Caller::new(primary).fetch(id).await?;
        Ok(JournaledChange {
            // One that is not in the journal is newer than all that are.
            sequence: entry.map_or(u64::MAX, |entry| entry.sequence),
            change: Arc::new(change),
            instance: Arc::clone(&primary.instance),
            journal: Arc::clone(journal),
            targets: Vec::new(),
            before: Vec::new(),
            tries: 0,
        })
    }
}
