//! A source that waits for changes: commands and switches do not wait for it.

use super::*;
use crate::sync::call::WAIT_LIMIT;

const LONG: u64 = 600;

/// Sends `sync`, and returns how long the report took.
async fn sync_now(running: &Running) -> (SyncReport, Duration) {
    let (start, (reply, report)) = (Instant::now(), oneshot::channel());
    running.commands.send(SyncCommand::Now(reply)).await.unwrap();
    (report.await.unwrap(), start.elapsed())
}

fn calls(provider: &Scripted) -> usize {
    provider.asked.lock().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn sync_does_not_wait_for_a_waiting_source() {
    let provider = Scripted::new(Cadence::Waits, [Answer::Waits(LONG)]);
    let running = follow(&provider, 1);
    provider.until_asked(1).await;
    let (report, took) = sync_now(&running).await;
    assert!(report.error.is_none() && took <= PATIENCE, "{report:?} after {took:?}");
    assert_eq!(calls(&provider), 1, "the question goes on");
}

/// The list that the source is about to answer with belongs to the report.
#[tokio::test(start_paused = true)]
async fn sync_takes_what_is_pending() {
    let provider = Scripted::new(Cadence::Waits, [Answer::Change("01A"), Answer::Waits(LONG)]);
    let running = follow(&provider, 1);
    let (report, _) = sync_now(&running).await;
    assert_eq!(report.applied.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn edited_settings_end_the_question() {
    let provider = Scripted::new(Cadence::Waits, [Answer::Waits(LONG), Answer::Waits(LONG)]);
    let running = follow(&provider, 1);
    provider.until_asked(1).await;
    // The same settings in a new instance change nothing.
    running.primary.send_replace(Some(instance(&provider, "one")));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(calls(&provider), 1);
    let other = Scripted::new(Cadence::Waits, [Answer::Change("01B"), Answer::Waits(LONG)]);
    let edited = Instant::now();
    running.primary.send_replace(Some(instance(&other, "two")));
    other.until_asked(2).await;
    assert!(other.asked.lock().unwrap()[0] - edited < Duration::from_secs(1));
    tokio::time::sleep(Duration::from_secs(LONG * 2)).await;
    assert_eq!(calls(&provider), 1, "the former source is not asked again");
    assert!(provider.reports.lock().unwrap().is_empty());
}

/// A change that the former source sent, and its verdict, are not for the new one.
#[tokio::test(start_paused = true)]
async fn changes_belong_to_their_source() {
    let provider = Scripted::new(Cadence::OnDemand, [Answer::Change("01A")]);
    *provider.deaf_to.lock().unwrap() = Some("01A");
    let running = follow(&provider, 1);
    let (report, _) = sync_now(&running).await;
    assert!(report.error.is_some(), "the acknowledgement failed: {report:?}");
    let other = Scripted::new(Cadence::OnDemand, [Answer::Change("01A")]);
    running.primary.send_replace(Some(instance(&other, "two")));
    let (report, _) = sync_now(&running).await;
    assert_eq!((report.applied.len(), other.fetched.load(Ordering::SeqCst)), (1, 1), "{report:?}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(*other.reports.lock().unwrap(), [ChangeStatus::Received, ChangeStatus::Applied]);
    assert!(provider.reports.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_wait_for_the_source() {
    let provider = Scripted::new(Cadence::Waits, [Answer::Waits(LONG)]);
    let running = follow(&provider, 1);
    provider.until_asked(1).await;
    let stopped = Instant::now();
    running.task.abort();
    while !running.task.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stopped.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn wait_without_an_end_has_a_deadline() {
    let provider = Scripted::new(Cadence::Waits, [Answer::Waits(u64::from(u32::MAX)), Answer::Nothing]);
    let running = follow(&provider, 1);
    provider.until_asked(2).await;
    let waited = provider.waits()[0];
    assert!((WAIT_LIMIT..WAIT_LIMIT + Duration::from_secs(2)).contains(&waited), "{waited:?}");
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn busy_source_is_slowed_and_named() {
    let provider = Scripted::new(Cadence::Waits, []);
    let running = follow(&provider, 1);
    provider.until_asked(20).await;
    let waits = provider.waits();
    assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(1)), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait < Duration::from_millis(1_100)), "{waits:?}");
    let status = running.status.read();
    let sync = status.sync.as_ref().unwrap();
    assert!(sync.busy.as_ref().is_some_and(|busy| busy.contains("once a second")), "{:?}", sync.busy);
    assert_eq!(sync.cadence, "waiting");
    // A source that waits again is not named.
    *provider.script.lock().unwrap() = vec![Answer::Waits(LONG), Answer::Waits(2)];
    let asked = calls(&provider);
    provider.until_asked(asked + 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(running.status.read().sync.as_ref().unwrap().busy, None);
}
