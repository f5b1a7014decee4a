//! Log lines before the machine token ends.

use std::io::Write;

use super::*;

/// A wall clock that goes with tokio's.
#[derive(Debug)]
struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + self.0.elapsed()
    }
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The words for the time that was left, in order.
    fn ends(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let words = |line: &str| Some(line.split("ends in less than ").nth(1)?.split(';').next()?.to_owned());
        text.lines().filter_map(words).collect()
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test(start_paused = true)]
async fn end_of_the_token_is_logged_ahead() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let clock = Arc::new(Wall(Instant::now()));
    let provider = Scripted::new(Cadence::OnDemand, []);
    let ends_in = |left: Duration| {
        let status = CredentialStatus::Valid { expires_at: Some(clock.now() + left) };
        *provider.standing.lock().unwrap() = status;
    };
    ends_in(DAY * 30);
    let directory = tempfile::tempdir().unwrap();
    let running = follow_with(&provider, 1, directory, None, Arc::clone(&clock) as Arc<dyn Clock>);
    let look = async |after: Duration| {
        tokio::time::sleep(after).await;
        log.ends()
    };
    assert!(look(DAY * 22).await.is_empty());
    assert_eq!(look(DAY + DAY / 12).await, ["7 days"]);
    assert_eq!(look(DAY * 5).await, ["7 days"]);
    assert_eq!(look(DAY).await, ["7 days", "1 day"]);
    assert_eq!(look(DAY).await, ["7 days", "1 day", "1 hour"], "none after the end");
    // A new token starts over; one that is short from the start gets one line at once.
    ends_in(DAY * 2);
    running.commands.send(SyncCommand::Authorized).await.unwrap();
    assert_eq!(look(DAY / 2).await[3..], ["7 days"]);
    assert_eq!(look(DAY).await[3..], ["7 days", "1 day"]);
    ends_in(DAY * 30);
    running.commands.send(SyncCommand::Authorized).await.unwrap();
    assert_eq!(look(DAY * 7).await.len(), 5);
}
