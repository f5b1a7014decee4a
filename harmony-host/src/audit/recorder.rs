//! The recorder: takes events from every part of the gateway, and writes them in the background.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::audit::log::Log;
use crate::audit::{Event, Place};
use crate::status::{AuditStatus, StatusBoard};
use crate::storage::complaint;

/// The number of events that wait for the disk. Further ones are lost, and counted.
const MAX_WAITING: usize = 1_024;

/// The pause before events are written again after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The longest wait of an answer for its record.
const PATIENCE: Duration = Duration::from_secs(2);

/// The audit log of a running gateway. A cheap handle.
///
/// [`record`](Self::record) never waits: neither a request nor an edit waits for the disk. While the disk fails, events wait
/// in memory; what does not find a place there is lost, and its number is the first record afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    queue: Mutex<Queue>,
    log: Mutex<Option<Log>>,
    work: Notify,
    /// The number of events that are written, or were given up.
    done: watch::Sender<u64>,
    status: Arc<StatusBoard>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// The number of events that were taken.
    taken: u64,
    /// The number of events that found no place since the last write.
    lost: u64,
}

impl Audit {
    /// Creates the audit log at `place`. Nothing is read or written before [`run`](Self::run).
    pub(crate) fn new(place: Place, status: Arc<StatusBoard>) -> Self {
        let (queue, log) = (Mutex::default(), Mutex::default());
        let (work, done) = (Notify::new(), watch::Sender::new(0));
        Self(Arc::new(Inner { place, queue, log, work, done, status }))
    }

    /// Records an event. Never waits.
    pub(crate) fn record(&self, event: Event) {
        let mut queue = lock(&self.0.queue);
        if queue.events.len() < MAX_WAITING {
            queue.events.push_back(event);
            queue.taken += 1;
        } else {
            queue.lost += 1;
        }
        drop(queue);
        self.0.work.notify_one();
    }

    /// Waits until everything that was recorded is on the disk, at most 2 s: an answer that somebody relies on comes after its
    /// record, but a disk that does not answer must not keep it.
    pub(crate) async fn settled(&self) {
        let taken = lock(&self.0.queue).taken;
        let mut done = self.0.done.subscribe();
        let _ = timeout(PATIENCE, done.wait_for(|done| *done >= taken)).await;
    }

    /// Writes events as they come. Runs until it is dropped; cancel safe.
    pub(crate) async fn run(self) {
        loop {
            self.0.work.notified().await;
            while !self.write().await {
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Writes what waits. Returns false when it still waits.
    async fn write(&self) -> bool {
        let audit = self.clone();
        tokio::task::spawn_blocking(move || audit.write_blocking()).await.unwrap_or(true)
    }

    /// Writes what waits: a batch with one sync. Returns false when it still waits. Blocks.
    pub(crate) fn write_blocking(&self) -> bool {
        let mut log = lock(&self.0.log);
        let (events, lost, taken) = {
            let queue = lock(&self.0.queue);
            (queue.events.iter().cloned().collect::<Vec<_>>(), queue.lost, queue.taken)
        };
        if events.is_empty() && lost == 0 {
            return true;
        }
        let written = match &mut *log {
            Some(log) => Ok(log),
            none => Log::open(&self.0.place).map(|log| none.insert(log)),
        };
        let written = written.and_then(|log| {
            let gap = (lost > 0).then(|| Event::new("lost").number("events", lost));
            let batch: Vec<Event> = events.iter().cloned().chain(gap).collect();
            log.append(&batch)
        });
        let newest = log.as_ref().map_or(0, Log::last);
        let mut queue = lock(&self.0.queue);
        if written.is_ok() {
            queue.events.drain(..events.len());
            queue.lost -= lost;
            self.0.done.send_replace(taken);
        }
        let (waiting, still_lost) = (queue.events.len(), queue.lost);
        drop(queue);
        self.report(written.err(), newest, waiting, still_lost);
        waiting == 0 && still_lost == 0
    }

    fn report(&self, error: Option<io::Error>, last: u64, waiting: usize, lost: u64) {
        let failure = error.as_ref().map(ToString::to_string);
        let before = self.0.status.read();
        let known = before.audit.as_ref().and_then(|audit| audit.failure.as_deref());
        match &error {
            Some(error) if known != failure.as_deref() => {
                let message = "the audit log cannot be written; its events wait in memory";
                complaint::complain("audit log", error, message);
            }
            None if known.is_some() => tracing::info!("the audit log can be written again"),
            _ => {}
        }
        self.0.status.change(|status| status.audit = Some(AuditStatus { last, waiting, lost, failure }));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::key::Key;
    use crate::audit::verify::{read, verify};

    fn audit(state: &std::path::Path) -> (Audit, Arc<StatusBoard>) {
        let status = StatusBoard::new();
        let place = Place::new(state, std::path::Path::new("/c/config.toml"), None);
        (Audit::new(place, Arc::clone(&status)), status)
    }

    #[tokio::test]
    async fn an_answer_waits_for_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let (audit, _) = audit(dir.path());
        let running = tokio::spawn(audit.clone().run());
        for _ in 0..10 {
            audit.record(Event::new("reload").verdict("unchanged"));
        }
        audit.settled().await;
        let place = &audit.0.place;
        let report = verify(&place.directory, &Key::read(&place.key()).unwrap()).unwrap();
        // The checkpoint is the first.
        assert_eq!((report.records, report.faults), (11, Vec::new()));
        running.abort();
    }

    /// A state directory that is a file, as one on a disk that fails.
    #[test]
    fn a_loss_is_recorded_when_the_disk_works_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        std::fs::write(&state, "").unwrap();
        let (audit, status) = audit(&state);
        for _ in 0..MAX_WAITING + 7 {
            audit.record(Event::new("reload"));
        }
        assert!(!audit.write_blocking());
        let shown = status.read().audit.clone().unwrap();
        assert_eq!((shown.waiting, shown.lost), (MAX_WAITING, 7));
        assert!(shown.failure.is_some());
        std::fs::remove_file(&state).unwrap();
        assert!(audit.write_blocking());
        let shown = status.read().audit.clone().unwrap();
        assert_eq!((shown.waiting, shown.lost, shown.failure), (0, 0, None));
        let last = read(&audit.0.place.directory, 1).unwrap();
        assert_eq!((&last[0]["event"], &last[0]["events"]), (&"lost".into(), &7.into()));
    }
}
