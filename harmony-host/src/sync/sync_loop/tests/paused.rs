//! A pause: the source is asked, and nothing is taken.

use jiff::Timestamp;

use super::*;

/// Starts a loop whose sync an earlier process has paused.
async fn paused(provider: &Arc<Scripted>) -> Running {
    let directory = tempfile::tempdir().unwrap();
    let earlier = PauseSwitch::open(&directory.path().join("journal"), StatusBoard::new());
    earlier.set(Pause::new(Timestamp::now(), "alice", "a broken release")).await.unwrap();
    follow_on(provider, 1, directory, None)
}

async fn resumes(running: &Running, provider: &Scripted) {
    assert_eq!(provider.fetched.load(Ordering::Relaxed), 0, "nothing is fetched while the sync is paused");
    assert!(provider.reports.lock().unwrap().is_empty(), "nothing is acknowledged");
    let status = running.status.read();
    assert_eq!(status.sync.as_ref().unwrap().waiting, 1);
    assert!(!status.in_sync());
    running.pause.clear().await.unwrap();
    let applied = || provider.reports.lock().unwrap().contains(&ChangeStatus::Applied);
    while !applied() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(running.status.read().sync.as_ref().unwrap().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn polled_source_is_listed() {
    let provider = Scripted::new(EVERY, vec![Answer::Change("01A"); 6]);
    let running = paused(&provider).await;
    provider.until_asked(4).await;
    resumes(&running, &provider).await;
}

/// A source that waits for changes has an answer at once while one waits; it is not asked again and again.
#[tokio::test(start_paused = true)]
async fn waiting_source_is_asked_at_an_interval() {
    let provider = Scripted::new(Cadence::Waits, vec![Answer::Change("01A"); 6]);
    let running = paused(&provider).await;
    provider.until_asked(4).await;
    let waits = provider.waits();
    assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(30)), "{waits:?}");
    let asked = Instant::now();
    resumes(&running, &provider).await;
    assert!(asked.elapsed() < Duration::from_secs(5), "the end of the pause is not waited for");
}
