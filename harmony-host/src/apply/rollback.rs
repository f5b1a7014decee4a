//! Rolling back: an earlier generation is restored, by the same steps as a change.

mod plan;
mod report;
mod request;
mod write;

use std::sync::Arc;
use std::time::SystemTime;

use provider_api::RejectionClass;

use crate::apply::applier::{differences, log_removed};
use crate::apply::rollback::plan::{Plan, Planned};
use crate::apply::writes::Writes;
use crate::apply::{Applier, Trigger};
use crate::diagnostics::rejection::Rejection;
use crate::documents::Touched;
use crate::history::{Applied, Cause, Pending, Refused};
use crate::snapshot::Snapshot;
use crate::storage::failpoints::kill;

pub(crate) use report::{RollbackReport, RollbackVerdict};
pub(crate) use request::RollbackRequest;
pub(crate) use write::recover;

/// The end of making a rollback live.
enum Live {
    Done,
    /// A file was edited meanwhile, or cannot be written. The files are as they were.
    Refused(String),
    Rejected(Rejection),
}

impl Applier {
    /// Restores the files of an earlier generation and makes them live, as the next generation. On any failure what was served
    /// stays live, and the files are as they were.
    pub(crate) async fn roll_back(&mut self, request: RollbackRequest) -> RollbackReport {
        // What was applied just now may be the generation that is asked for.
        self.history.settled().await;
        let planned = match self.plan(&request).await {
            Ok(planned) => planned,
            Err(reasons) => return RollbackReport::refused(&request, reasons, self.served_number()),
        };
        let serving = self.published.snapshot();
        let Planned { plan, built } = planned;
        let snapshot = match built {
            Ok(snapshot) => Arc::new(snapshot),
            Err(rejection) => return self.rejected_rollback(&request, plan, rejection),
        };
        let changed = differences(&serving, &snapshot).await;
        let mut report = RollbackReport::of(&request, &plan, &changed, serving.generation);
        if plan.is_done(&serving) {
            return report.ended(RollbackVerdict::Unchanged, serving.generation);
        }
        if request.dry_run {
            return report.ended(RollbackVerdict::Planned, serving.generation);
        }
        if !plan.lost.is_empty() && !request.force {
            return RollbackReport::refused(&request, vec![plan.would_lose()], serving.generation)
                .with_lost(&plan);
        }
        match self.go_back(&request, &plan, &snapshot, &mut report).await {
            Live::Done => {}
            Live::Refused(reason) => {
                return RollbackReport::refused(&request, vec![reason], serving.generation);
            }
            Live::Rejected(rejection) => return self.rejected_rollback(&request, plan, rejection),
        }
        let digest = snapshot.documents.digest();
        tracing::warn!(
            generation = snapshot.generation, %digest, to = request.to, by = %request.by,
            changed = changed.line(), "rolled back to an earlier generation"
        );
        log_removed(&snapshot, &serving);
        self.history.applied(Applied {
            before: Some(serving),
            after: Arc::clone(&snapshot),
            cause: Cause::Rollback { to: request.to, by: request.by.clone() },
            at: SystemTime::now(),
            differences: Some(changed),
            managed: Default::default(),
            rolled_back: Some(plan.rolled_back.clone()),
        });
        self.settle_rollback(&snapshot).await;
        self.history.settled().await;
        report.ended(RollbackVerdict::Applied, snapshot.generation)
    }

    fn served_number(&self) -> u64 {
        self.published.snapshot().generation
    }

    /// Reports and records that the configuration of the generation is refused now.
    fn rejected_rollback(
        &self,
        request: &RollbackRequest,
        plan: Plan,
        rejection: Rejection,
    ) -> RollbackReport {
        if !request.dry_run {
            self.history.refused(Refused {
                cause: Cause::Rollback { to: request.to, by: request.by.clone() },
                at: SystemTime::now(),
                digest: String::new(),
                class: rejection.class.to_string(),
                problem: rejection.first(),
                problems: rejection.problems.errors().count(),
                files: Vec::new(),
            });
        }
        RollbackReport::rejected(request, &plan, &rejection, self.served_number())
    }

    /// Takes the configuration through the steps of an activation, with its files.
    async fn go_back(
        &mut self,
        request: &RollbackRequest,
        plan: &Plan,
        snapshot: &Arc<Snapshot>,
        report: &mut RollbackReport,
    ) -> Live {
        let serving = self.published.snapshot();
        let prepared = match self.activator.prepare(snapshot, Some(&serving)).await {
            Ok(prepared) => prepared,
            Err(rejection) => return Live::Rejected(rejection),
        };
        kill("rollback-prepared");
        let pending = match self.write_rollback(request, plan).await {
            Ok((pending, copies)) => {
                report.copies = copies;
                pending
            }
            Err(reason) => {
                self.activator.rollback(prepared).await;
                return Live::Refused(reason);
            }
        };
        match self.go_live(prepared, snapshot, Writes::Rollback(&pending)).await {
            Ok(()) => {
                self.last_read = Arc::clone(&snapshot.documents);
                self.rejected = None;
                self.finish_rollback(&pending).await;
                self.examine_base().await;
                self.report_applied(snapshot);
                Live::Done
            }
            Err(rejection) => match self.restore_rollback(&pending).await {
                Ok(()) => Live::Rejected(rejection),
                Err(reason) => {
                    let class = RejectionClass::Activate;
                    Live::Rejected(Rejection::of(class, "files", format!("{}; {reason}", rejection.first())))
                }
            },
        }
    }

    /// Settles the overlay, or reads the files again where some could not be read.
    async fn settle_rollback(&mut self, snapshot: &Snapshot) {
        match snapshot.documents.has_isolated() {
            false => self.settle_overlay().await,
            true => drop(self.apply(Touched::Everything, Trigger::Edit, Cause::Edit).await),
        }
    }

    /// Compares the generation with the files, and builds its configuration.
    ///
    /// # Errors
    /// The reasons for which it cannot be restored.
    async fn plan(&self, request: &RollbackRequest) -> Result<Planned, Vec<String>> {
        let (layers, surroundings) = (self.layers.clone(), self.surroundings.clone());
        let (history, serving) = (Arc::clone(&self.history), self.published.snapshot());
        let to = request.to;
        let work = move || Plan::make(&history, &layers, &surroundings, &serving, to);
        let planned = tokio::task::spawn_blocking(work).await;
        let failed = |_| vec!["the rollback could not be planned; the log has the panic".to_owned()];
        let mut planned = planned.map_err(failed)??;
        if let Ok(snapshot) = &mut planned.built
            && let Err(rejection) = snapshot.check_local_references().await
        {
            planned.built = Err(rejection);
        }
        Ok(planned)
    }
}

/// Returns a pending rollback as the history knows its cause.
pub(crate) fn cause_of(pending: &Pending) -> Cause {
    Cause::Rollback { to: pending.to, by: pending.by.clone() }
}
