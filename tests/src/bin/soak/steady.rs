use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_tests::client;
use tokio::task::JoinHandle;

/// A client that asks all the time for what nothing changes.
#[derive(Debug)]
pub(crate) struct Steady {
    /// The process that serves now.
    pub(crate) pid: Arc<AtomicU32>,
    pub(crate) answered: Arc<AtomicUsize>,
    pub(crate) wrong: Arc<Mutex<Vec<String>>>,
    asking: JoinHandle<()>,
}

/// How often it asks.
const EVERY: Duration = Duration::from_millis(20);

impl Steady {
    pub(crate) fn begin(url: String) -> Self {
        let (pid, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let (process, count, note) = (Arc::clone(&pid), Arc::clone(&answered), Arc::clone(&wrong));
        let asking = tokio::spawn(async move {
            let client = client();
            loop {
                tokio::time::sleep(EVERY).await;
                let before = process.load(Ordering::SeqCst);
                if before == 0 {
                    continue;
                }
                let answer = client.get(&url).send().await;
                match answer {
                    Ok(answer) if answer.status() == 200 => drop(count.fetch_add(1, Ordering::SeqCst)),
                    Ok(answer) => {
                        note.lock().unwrap().push(format!("a request was answered {}", answer.status()))
                    }
                    // A process that is killed answers nobody; one that lives does.
                    Err(error) => {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        if process.load(Ordering::SeqCst) == before && is_alive(before) {
                            note.lock().unwrap().push(format!("a request failed: {error:?}"));
                        }
                    }
                }
            }
        });
        Self { pid, answered, wrong, asking }
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Whether a process runs; one that has ended and was not waited for does not.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
