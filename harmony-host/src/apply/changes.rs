//! Applying changes of a provider: all that are ready together, with one candidate, one write and one activation. A single
//! change is a group of one.

use std::collections::HashMap;
use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::applier::log_removed;
use crate::apply::candidate::{Builder, Proposal, Proposed};
use crate::apply::group::{Group, Older, newest};
use crate::apply::journaled::{Verdicts, unwritable};
use crate::apply::recorded::{identical_documents, log_applied, record};
use crate::apply::selection::{Selection, select, split};
use crate::apply::write::CommitError;
use crate::apply::writes::Writes;
use crate::apply::{Applier, ChangeVerdict, JournaledChange, Trigger};
use crate::diagnostics::rejection::Rejection;
use crate::documents::Touched;
use crate::history::Cause;
use crate::journal::Target;
use crate::snapshot::Snapshot;
use crate::storage::failpoints::kill;

/// The limit of attempts when the files are edited while changes are applied.
const MAX_TRIES: usize = 5;

/// The end of making changes live.
enum Live {
    Done,
    /// A file was edited meanwhile.
    Edited,
    Deferred(String),
    /// The files are restored.
    Rejected(Rejection),
    /// A file cannot be written.
    Unwritten(Rejection),
}

impl Applier {
    /// Applies changes, and sends the verdict of each as soon as it is known. On any failure what was served stays live, and
    /// the files of the rejected changes are restored.
    pub(crate) async fn apply_changes(&mut self, changes: Vec<JournaledChange>, verdicts: &Verdicts) {
        let mut ready = Vec::new();
        for change in changes {
            match self.restore_earlier(&self.published.snapshot(), &change).await {
                Ok(()) => ready.push(change),
                Err(reason) => tell(verdicts, &change, ChangeVerdict::Deferred(reason)),
            }
        }
        let mut refused = self.apply_groups(Group::of(ready), verdicts).await;
        if !refused.is_empty() {
            // Another group may have what they need.
            refused = self.apply_groups(Group::again(refused), verdicts).await;
        }
        debug_assert!(refused.is_empty(), "a change that was tried again has its verdict");
    }

    /// Applies groups one after the other. Returns the changes that were refused while others were still to come.
    async fn apply_groups(&mut self, mut open: Vec<Group>, verdicts: &Verdicts) -> Vec<JournaledChange> {
        let mut refused = Vec::new();
        open.reverse();
        while let Some(group) = open.pop() {
            refused.extend(self.apply_group(group, &mut open, verdicts).await);
        }
        refused
    }

    /// Applies a group. What has to be tried again in smaller groups is added to `open`. Returns the changes whose verdict
    /// waits for the other groups.
    async fn apply_group(
        &mut self,
        group: Group,
        open: &mut Vec<Group>,
        verdicts: &Verdicts,
    ) -> Vec<JournaledChange> {
        let Group { changes, edited, is_again } = group;
        let is_last = is_again || open.is_empty();
        let mut refused = Vec::new();
        let Some((builder, proposed)) = self.propose(changes, verdicts).await else { return refused };
        let mut ready = Vec::new();
        let (mut identical, mut ended) = (Vec::new(), HashMap::new());
        for proposal in proposed {
            match proposal {
                Proposed::Ready(proposal) => ready.push(proposal),
                Proposed::Identical(change, files) => identical.push((change, files)),
                Proposed::Rejected(change, rejection) => {
                    tell(verdicts, &change, ChangeVerdict::Rejected(rejection, None));
                }
                Proposed::Superseded(change) => tell(verdicts, &change, ChangeVerdict::Superseded),
                Proposed::Deferred(change, reason) => {
                    tell(verdicts, &change, ChangeVerdict::Deferred(reason));
                }
            }
        }
        let ready = without_superseded(ready, verdicts);
        let (active, older) = newest(ready, &identical);
        ended.extend(identical.iter().map(|(change, _)| (change.sequence, true)));
        self.found_identical(identical, verdicts).await;
        let Selection { accepted, snapshot, rejected } =
            select(&builder, &self.activator.pulse, active).await;
        kill("built");
        for one in rejected {
            ended.insert(one.proposal.change.sequence, false);
            let verdict = match own_fault(&builder).await {
                Some(fault) => ChangeVerdict::Deferred(fault),
                None if !is_last => {
                    refused.push(one.proposal.change.clone());
                    continue;
                }
                None => {
                    let attempt = one.proposal.attempt(one.rejection.class, one.against);
                    ChangeVerdict::Rejected(one.rejection, Some(attempt))
                }
            };
            tell(verdicts, &one.proposal.change, verdict);
        }
        let mut again = Again { edited, is_again, split: None };
        if let Some(snapshot) = snapshot {
            let live = self.go_live_with(&builder, &accepted, &snapshot).await;
            self.conclude(live, &builder, &accepted, &mut ended, &mut again, verdicts).await;
        }
        again.requeue(older, &ended, open, verdicts);
        refused
    }

    /// Reads the files, and returns what each change would write.
    async fn propose(
        &self,
        changes: Vec<JournaledChange>,
        verdicts: &Verdicts,
    ) -> Option<(Builder, Vec<Proposed>)> {
        let proposed = self.foresight().propose(changes.clone()).await;
        if proposed.is_none() {
            let reason = "checking the change failed; the log has the panic";
            changes.iter().for_each(|change| {
                tell(verdicts, change, ChangeVerdict::Deferred(reason.to_owned()));
            });
        }
        proposed
    }

    /// Records the changes whose files are live already: they are applied.
    async fn found_identical(&self, identical: Vec<(JournaledChange, Vec<Target>)>, verdicts: &Verdicts) {
        let Some((first, _)) = identical.first() else { return };
        self.history.found_identical(identical_documents(&self.published.snapshot(), &identical));
        let journal = Arc::clone(&first.journal);
        let found: Vec<_> =
            identical.iter().map(|(change, files)| (change.sequence, files.clone())).collect();
        let recorded = journal.write(move |journal| journal.found_identical(&found)).await;
        for (change, _) in &identical {
            let verdict = match &recorded {
                Ok(()) => ChangeVerdict::Applied,
                Err(error) => ChangeVerdict::Deferred(unwritable(error)),
            };
            tell(verdicts, change, verdict);
        }
    }

    /// Writes the files of changes that are valid together, and makes the snapshot live. On failure the files are restored.
    async fn go_live_with(
        &mut self,
        builder: &Builder,
        accepted: &[Arc<Proposal>],
        snapshot: &Arc<Snapshot>,
    ) -> Live {
        let serving = builder.served();
        let prepared = match self.activator.prepare(snapshot, Some(serving)).await {
            Ok(prepared) => prepared,
            Err(rejection) if rejection.is_transient() => return Live::Deferred(rejection.first()),
            Err(rejection) => return Live::Rejected(rejection),
        };
        kill("bound");
        let written = match self.write_files(accepted, Arc::clone(builder.files())).await {
            Ok(written) => written,
            Err(not_written) => {
                self.activator.rollback(prepared).await;
                return match not_written {
                    CommitError::Edited => Live::Edited,
                    CommitError::Deferred(reason) => Live::Deferred(reason),
                    CommitError::Rejected(rejection) => Live::Unwritten(rejection),
                };
            }
        };
        let changes: Vec<JournaledChange> = accepted.iter().map(|proposal| proposal.change.clone()).collect();
        match self.go_live(prepared, snapshot, Writes::Changes(&changes)).await {
            Ok(()) => {
                self.last_read = Arc::clone(&snapshot.documents);
                self.rejected = None;
                self.examine_base().await;
                self.report_applied(snapshot);
                let differences = log_applied(accepted, serving, snapshot).await;
                let by = serving.providers.primary_name().to_string();
                self.history.applied(record(&by, accepted, serving, snapshot, differences));
                log_removed(snapshot, serving);
                match snapshot.documents.has_isolated() {
                    false => self.settle_overlay().await,
                    // The changes were judged without these files. The files as a whole are still not live.
                    true => drop(self.apply(Touched::Everything, Trigger::Edit, Cause::Edit).await),
                }
                Live::Done
            }
            Err(rejection) => match self.restore_files(written).await {
                Ok(()) => Live::Rejected(rejection),
                Err(reason) => Live::Deferred(reason),
            },
        }
    }

    /// Sends the verdicts that follow from the end of an activation, or notes what is tried again.
    async fn conclude(
        &self,
        live: Live,
        builder: &Builder,
        accepted: &[Arc<Proposal>],
        ended: &mut HashMap<u64, bool>,
        again: &mut Again,
        verdicts: &Verdicts,
    ) {
        let against = builder.served().documents.digest();
        let mut all = |verdict: ChangeVerdict, is_live: bool| {
            for proposal in accepted {
                ended.insert(proposal.change.sequence, is_live);
                tell(verdicts, &proposal.change, verdict.clone());
            }
        };
        match (live, accepted) {
            (Live::Done, _) => all(ChangeVerdict::Applied, true),
            (Live::Deferred(reason), _) => all(ChangeVerdict::Deferred(reason), false),
            (Live::Edited, _) if again.edited + 1 < MAX_TRIES => {
                again.edited += 1;
                again.split = Some((accepted.to_vec(), Vec::new()));
            }
            (Live::Edited, _) => {
                all(ChangeVerdict::Deferred("the files of the change are being edited".to_owned()), false);
            }
            (Live::Rejected(rejection), _) if builder.has_edit() => {
                let first = rejection.first();
                let reason = format!("rejected together with an edit that is not live yet: {first}");
                all(ChangeVerdict::Deferred(reason), false);
            }
            (Live::Rejected(rejection), [only]) => {
                let attempt = only.attempt(rejection.class, against);
                all(ChangeVerdict::Rejected(rejection, Some(attempt)), false);
            }
            (Live::Unwritten(rejection), [only]) => {
                let attempt = only.attempt(rejection.class, against).machine();
                all(ChangeVerdict::Rejected(rejection, Some(attempt)), false);
            }
            (Live::Rejected(rejection) | Live::Unwritten(rejection), _) => {
                again.split = Some(split(accepted.to_vec(), &rejection));
            }
        }
    }
}

/// The parts of a group that are tried one after the other.
type Parts = (Vec<Arc<Proposal>>, Vec<Arc<Proposal>>);

/// The part of a group that is tried again.
struct Again {
    edited: usize,
    is_again: bool,
    /// The parts, the one to try first first.
    split: Option<Parts>,
}

impl Again {
    /// Adds the groups that are tried again. An older change of a document is superseded once the newer one is live, goes on
    /// with it, or is tried now if the newer one was rejected.
    fn requeue(
        self,
        older: Vec<Older>,
        ended: &HashMap<u64, bool>,
        open: &mut Vec<Group>,
        verdicts: &Verdicts,
    ) {
        let (first, second) = self.split.unwrap_or_default();
        let changes = |part: Vec<Arc<Proposal>>| -> Vec<JournaledChange> {
            part.iter().map(|proposal| proposal.change.clone()).collect()
        };
        let (mut first, mut second) = (changes(first), changes(second));
        let mut now = Vec::new();
        for Older { change, document, newer: (newer, id) } in older {
            let is_in = |part: &[JournaledChange]| part.iter().any(|change| change.sequence == newer);
            if ended.get(&newer) == Some(&true) {
                tell(verdicts, &change, superseded(&document, &id));
            } else if is_in(&first) {
                first.push(change);
            } else if is_in(&second) {
                second.push(change);
            } else {
                now.push(change);
            }
        }
        for changes in [now, second, first] {
            if !changes.is_empty() {
                open.push(Group { changes, edited: self.edited, is_again: self.is_again });
            }
        }
    }
}

/// Sends the verdict of the changes of which a newer one is live already, and returns the others.
fn without_superseded(ready: Vec<Proposal>, verdicts: &Verdicts) -> Vec<Proposal> {
    let (left, superseded) = split_superseded(ready);
    superseded.iter().for_each(|(proposal, rejection)| {
        tell(verdicts, &proposal.change, ChangeVerdict::Rejected(rejection.clone(), None));
    });
    left
}

/// Splits off the changes of which a newer one is live already, with the rejection of each.
pub(super) fn split_superseded(ready: Vec<Proposal>) -> (Vec<Proposal>, Vec<(Proposal, Rejection)>) {
    let (mut left, mut superseded) = (Vec::new(), Vec::new());
    let Some(first) = ready.first() else { return (left, superseded) };
    let live = first.change.journal.live_files();
    for proposal in ready {
        let newer = live.newer(proposal.change.sequence, &proposal.targets);
        match newer.map(|(file, newer)| newer_is_live(file, newer)) {
            Some(rejection) => superseded.push((proposal, rejection)),
            None => left.push(proposal),
        }
    }
    (left, superseded)
}

fn newer_is_live(file: &str, newer: &str) -> Rejection {
    let message = format!("the newer change {newer} has written this file already");
    Rejection::of(RejectionClass::Superseded, file, message)
}

fn superseded(file: &str, newer: &str) -> ChangeVerdict {
    ChangeVerdict::Rejected(newer_is_live(file, newer), None)
}

pub(super) async fn own_fault(builder: &Builder) -> Option<String> {
    let builder = builder.clone();
    tokio::task::spawn_blocking(move || builder.own_fault()).await.ok().flatten()
}

fn tell(verdicts: &Verdicts, change: &JournaledChange, verdict: ChangeVerdict) {
    // Nobody listens any more when the sync ended; it applies the change again.
    let _ = verdicts.send((change.sequence, verdict));
}
