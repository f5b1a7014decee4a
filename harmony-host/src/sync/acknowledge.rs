//! Acknowledging changes: side by side, with a record of all that were acknowledged in one durable write.

use std::sync::Arc;

use provider_api::{ChangeStatus, Error, ErrorKind, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::journal::{Entry, Journal};
use crate::providers::PrimaryProvider;
use crate::providers::isolate::error_chain;
use crate::storage::failpoints::kill;
use crate::sync::call::replaced;
use crate::sync::caller::Caller;
use crate::sync::lazy_journal::note;
use crate::sync::steps::{Answered, CHUNK, Fresh, MISSES, Outcome, SyncPass};

impl SyncPass {
    /// Acknowledges changes side by side. After [`MISSES`] failures in a row no more are begun.
    pub(super) async fn acknowledge_all(
        &self,
        caller: &Caller,
        primary: &PrimaryProvider,
        mut fresh: UnboundedReceiver<Fresh>,
        answered: UnboundedSender<Answered>,
    ) -> Result<()> {
        let (mut calls, mut misses, mut open) = (JoinSet::new(), 0, true);
        while open || !calls.is_empty() {
            tokio::select! {
                biased;
                () = replaced(self.primary.clone(), primary) => return Ok(()),
                Some(ended) = calls.join_next(), if !calls.is_empty() => {
                    let Ok(ended) = ended else { return Ok(()) };
                    let (_, answer): &Answered = &ended;
                    let missed = matches!(answer, Err(error) if error.kind() == ErrorKind::Unavailable);
                    misses = if missed { misses + 1 } else { 0 };
                    let _ = answered.send(ended);
                }
                next = fresh.recv(), if open && calls.len() < caller.width() => match next {
                    // The journal has it: the next pass goes on with it.
                    Some(_) if misses >= MISSES || self.pause.is_set() => {}
                    Some(one) => {
                        let caller = caller.clone();
                        calls.spawn(async move {
                            let answer = match one.entry.change_id() {
                                Some(id) => caller.report(&id, &ChangeStatus::Received).await,
                                None => Err(Error::invalid("the change has no usable id")),
                            };
                            (one, answer)
                        });
                    }
                    None => open = false,
                },
            }
        }
        Ok(())
    }

    /// Records which changes the provider knows to be received, and passes them on.
    pub(super) async fn record_acknowledged(
        &self,
        primary: &PrimaryProvider,
        journal: &Arc<Journal>,
        mut answered: UnboundedReceiver<Answered>,
        ready: UnboundedSender<Arc<Entry>>,
        outcome: &Outcome,
    ) -> Result<()> {
        let mut arrived = Vec::new();
        while answered.recv_many(&mut arrived, CHUNK).await > 0 {
            if !self.is_primary(primary) {
                return Ok(());
            }
            kill("announced");
            let (mut known, mut withdrawn) = (Vec::new(), Vec::new());
            for (Fresh { entry, announced_before }, answer) in arrived.drain(..) {
                match answer {
                    Ok(()) => {
                        self.listing().acknowledged(&entry, None);
                        known.push(entry.sequence);
                    }
                    Err(error) if error.kind() == ErrorKind::Unavailable => outcome.fail(error),
                    Err(_) if announced_before => known.push(entry.sequence),
                    // The provider withdrew the change, or does not let this gateway have it: the next list shows which.
                    Err(error) => {
                        let error = error_chain(&error);
                        tracing::warn!(
                            change = entry.id,
                            error,
                            "the provider refused the acknowledgement of the change; it is not applied"
                        );
                        self.listing().acknowledged(&entry, Some(&error));
                        withdrawn.push(entry.sequence);
                    }
                }
            }
            if !withdrawn.is_empty() {
                note(journal, move |journal| journal.forget(&withdrawn)).await?;
            }
            if !known.is_empty() {
                let recorded = known.clone();
                note(journal, move |journal| journal.acknowledged(&recorded)).await?;
                kill("acknowledged");
                for entry in known.into_iter().filter_map(|sequence| journal.get(sequence)) {
                    let _ = ready.send(entry);
                }
            }
        }
        Ok(())
    }
}
