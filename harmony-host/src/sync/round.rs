use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use provider_api::{
    Change, ChangeHead, ChangeStatus, ConfigSource, Error, ErrorKind, Pending, Provider, Rejection,
    RejectionClass, Result,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::apply::{ChangeVerdict, NotedChange};
use crate::host::Command;
use crate::isolate::isolated;
use crate::journal::{Delivery, Entry, Journal, Phase, Settlement};
use crate::snapshot::Refusal;
use crate::status::{StatusBoard, timestamp};
use crate::sync::outbox::Outbox;
use crate::sync::report::{ChangeReport, SyncReport};

/// One walk through what a provider has for this gateway.
pub(super) struct Round {
    pub(super) apply: mpsc::Sender<Command>,
    pub(super) primary: watch::Receiver<Option<Arc<dyn Provider>>>,
    pub(super) journal: JournalPlace,
    pub(super) outbox: Arc<Outbox>,
    pub(super) status: Arc<StatusBoard>,
    /// What the last list named: `Unchanged` means that it still stands.
    pub(super) listed: Vec<ChangeHead>,
    /// How often the body of a change could not be brought here.
    pub(super) unfetched: HashMap<String, u32>,
    /// The changes that the provider was told to be here, and may know so although it did not say it.
    pub(super) announced: HashSet<u64>,
}

/// The journal, opened when it is first needed: a gateway without a remote provider has none.
#[derive(Debug)]
pub(crate) struct JournalPlace {
    pub(crate) directory: PathBuf,
    pub(crate) open: Option<Arc<Journal>>,
}

/// How often the body of a change is asked for before the change is rejected.
const FETCHES: u32 = 3;

/// After this many bodies in a row that could not be had, the provider is taken to be away.
const MISSES: u32 = 3;

/// The most problems that are reported of one change, and the most characters of one.
const MAX_PROBLEMS: usize = 100;
const MAX_PROBLEM_CHARS: usize = 2_000;

impl Round {
    /// Works off what is in the journal, then what the provider lists, oldest first.
    pub(super) async fn run(&mut self, provider: &Arc<dyn Provider>) -> (SyncReport, Result<()>) {
        let mut report = SyncReport::default();
        let result = match provider.source() {
            Some(source) => self.walk(provider, source, &mut report).await,
            None => Err(Error::invalid("the provider has no changes to ask for")),
        };
        report.error = result.as_ref().err().map(said);
        (report, result)
    }

    async fn walk(
        &mut self,
        provider: &Arc<dyn Provider>,
        source: &dyn ConfigSource,
        report: &mut SyncReport,
    ) -> Result<()> {
        let journal = self.journal.get().await?;
        for entry in journal.unsettled() {
            if entry.provider == provider.name().as_str() && self.is_primary(provider) {
                self.work_off(source, &journal, &entry, report).await?;
            }
        }
        if !self.is_primary(provider) {
            return Ok(());
        }
        if let Pending::Changes(heads) = isolated(source.pending()).await? {
            self.listed = heads;
        }
        self.status.heard();
        let mut failure = None;
        let mut misses = 0;
        for head in self.listed.clone() {
            if !self.is_primary(provider) {
                break;
            }
            if let Some(entry) = journal.find(provider.name(), &head.id) {
                self.listed_again(&journal, &entry).await?;
                continue;
            }
            let fetched = isolated(source.fetch(&head.id)).await;
            let entry = match fetched {
                Ok(change) if change.id == head.id => {
                    misses = 0;
                    note(&journal, {
                        let name = provider.name().clone();
                        move |journal| journal.receive(&name, &change)
                    })
                    .await?
                }
                Ok(_) => {
                    let error = Error::invalid("the provider sent another change than it was asked for");
                    self.refuse(provider, &journal, &head, &error, report).await?;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable && !self.is_hopeless(&head) => {
                    misses += 1;
                    tracing::warn!(change = %head.id, error = said(&error), "the change cannot be fetched now");
                    failure.get_or_insert(error);
                    if misses >= MISSES {
                        break;
                    }
                    continue;
                }
                Err(error) => {
                    self.refuse(provider, &journal, &head, &error, report).await?;
                    continue;
                }
            };
            self.unfetched.remove(head.id.as_str());
            self.work_off(source, &journal, &entry, report).await?;
        }
        let (listed, known) = (std::mem::take(&mut self.listed), &journal);
        self.listed =
            listed.into_iter().filter(|head| known.find(provider.name(), &head.id).is_none()).collect();
        self.unfetched.retain(|id, _| self.listed.iter().any(|head| head.id.as_str() == id));
        failure.map_or(Ok(()), Err)
    }

    /// Acknowledges a change that is here, and applies it.
    async fn work_off(
        &mut self,
        source: &dyn ConfigSource,
        journal: &Arc<Journal>,
        entry: &Entry,
        report: &mut SyncReport,
    ) -> Result<()> {
        let sequence = entry.sequence;
        let Some(change) = entry.change() else { return Ok(()) };
        if !entry.acknowledged {
            let told = isolated(source.report(&change.id, &ChangeStatus::Received)).await;
            match told {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.announced.insert(sequence);
                    return Err(error);
                }
                // The answer to the first time may have been lost.
                Err(_) if self.announced.contains(&sequence) => {}
                Err(error) => {
                    tracing::warn!(change = %change.id, error = said(&error), "the provider took the change back");
                    return note(journal, move |journal| journal.forget(sequence)).await;
                }
            }
            self.announced.remove(&sequence);
            note(journal, move |journal| journal.acknowledged(sequence)).await?;
        }
        let (id, kind) = (entry.id.clone(), entry.kind.clone());
        let settlement = match self.apply(journal, sequence, change).await? {
            ChangeVerdict::Applied => Settlement::Applied,
            ChangeVerdict::Rejected(refusal) => rejection(&refusal).into(),
            ChangeVerdict::Held(why) => {
                let held = told(&id, &kind, "held", None, Some(why.clone()), Vec::new());
                tracing::warn!(change = id, why, "the change waits");
                self.status.change_ended(&held);
                report.held.push(held);
                return Ok(());
            }
        };
        self.settled(journal, sequence, (&id, &kind), settlement, report).await
    }

    async fn settled(
        &self,
        journal: &Arc<Journal>,
        sequence: u64,
        (id, kind): (&str, &str),
        settlement: Settlement,
        report: &mut SyncReport,
    ) -> Result<()> {
        let ended = match &settlement {
            Settlement::Applied => told(id, kind, "applied", None, None, Vec::new()),
            Settlement::Rejected { class, summary, problems } => {
                tracing::error!(change = id, class, summary, "change rejected; what was served is served on");
                told(id, kind, "rejected", Some(class.clone()), Some(summary.clone()), problems.clone())
            }
        };
        note(journal, move |journal| journal.settle(sequence, settlement)).await?;
        self.status.change_ended(&ended);
        let list = if ended.verdict == "applied" { &mut report.applied } else { &mut report.rejected };
        list.push(ended);
        self.outbox.wake();
        Ok(())
    }

    async fn apply(&self, journal: &Arc<Journal>, sequence: u64, change: Change) -> Result<ChangeVerdict> {
        let stopping = || Error::unavailable("the gateway is stopping");
        let (reply, verdict) = oneshot::channel();
        let noted = NotedChange { sequence, change: Arc::new(change), journal: Arc::clone(journal) };
        self.apply.send(Command::Change(noted, reply)).await.map_err(|_| stopping())?;
        verdict.await.map_err(|_| stopping())
    }

    /// A change that could not be brought here and never will be is rejected like one that is wrong.
    async fn refuse(
        &self,
        provider: &Arc<dyn Provider>,
        journal: &Arc<Journal>,
        head: &ChangeHead,
        error: &Error,
        report: &mut SyncReport,
    ) -> Result<()> {
        let summary = format!("the change could not be fetched: {}", said(error));
        let rejection = Rejection { class: RejectionClass::Fetch, summary, problems: Vec::new() };
        let settlement = rejection.clone().into();
        let (name, owned) = (provider.name().clone(), head.clone());
        let entry = note(journal, move |journal| journal.refuse(&name, &owned, rejection)).await?;
        self.settled(journal, entry.sequence, (&entry.id, &entry.kind), settlement, report).await
    }

    /// A change with a verdict that is listed again: the verdict did not arrive, or was forgotten there.
    async fn listed_again(&self, journal: &Arc<Journal>, entry: &Arc<Entry>) -> Result<()> {
        if matches!(entry.phase, Phase::Settled(_)) && entry.delivery == Delivery::Told {
            let sequence = entry.sequence;
            note(journal, move |journal| journal.deliver_again(sequence)).await?;
            self.outbox.wake();
        }
        Ok(())
    }

    fn is_hopeless(&mut self, head: &ChangeHead) -> bool {
        let tried = self.unfetched.entry(head.id.to_string()).or_insert(0);
        *tried += 1;
        *tried >= FETCHES
    }

    fn is_primary(&self, provider: &Arc<dyn Provider>) -> bool {
        self.primary.borrow().as_ref().is_some_and(|primary| primary.name() == provider.name())
    }
}

impl JournalPlace {
    pub(crate) async fn get(&mut self) -> Result<Arc<Journal>> {
        if let Some(open) = &self.open {
            return Ok(Arc::clone(open));
        }
        let directory = self.directory.clone();
        let shown = directory.display().to_string();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&directory)).await;
        let failed =
            |cause: String| Error::unavailable(format!("the journal in {shown} cannot be opened: {cause}"));
        let journal = opened.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        self.open = Some(Arc::clone(&journal));
        Ok(journal)
    }
}

/// Notes something in the journal, off the threads that serve requests.
pub(super) async fn note<T: Send + 'static>(
    journal: &Arc<Journal>,
    write: impl FnOnce(&Journal) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let journal = Arc::clone(journal);
    let failed = |cause: String| Error::unavailable(format!("the journal cannot be written: {cause}"));
    let written = tokio::task::spawn_blocking(move || write(&journal)).await;
    written.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))
}

/// An error with its causes, for people.
pub(crate) fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn rejection(refusal: &Refusal) -> Rejection {
    let errors = refusal.problems.sorted_errors();
    let shorten = |text: String| text.chars().take(MAX_PROBLEM_CHARS).collect::<String>();
    let mut problems: Vec<String> =
        errors.iter().take(MAX_PROBLEMS).map(|problem| shorten(problem.to_string())).collect();
    if errors.len() > MAX_PROBLEMS {
        problems.push(format!("and {} more", errors.len() - MAX_PROBLEMS));
    }
    let first = problems.first().cloned().unwrap_or_else(|| "no reason is known".to_owned());
    let more = match errors.len() {
        0 | 1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    Rejection { class: refusal.class, summary: format!("{first}{more}"), problems }
}

fn told(
    id: &str,
    kind: &str,
    verdict: &'static str,
    class: Option<String>,
    summary: Option<String>,
    problems: Vec<String>,
) -> ChangeReport {
    let at = timestamp(SystemTime::now());
    ChangeReport { id: id.to_owned(), kind: kind.to_owned(), verdict, class, summary, problems, at }
}
