//! A client that sends requests all the time.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harmony_tests::client;
use tokio::task::JoinHandle;

/// A client that requests a pipeline that no change modifies. Its requests must never fail while a process serves.
#[derive(Debug)]
pub(crate) struct SteadyClient {
    /// The id of the serving process; 0 if there is none.
    pub(crate) pid: Arc<AtomicU32>,
    pub(crate) answered: Arc<AtomicUsize>,
    pub(crate) problems: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

/// The pause between two requests.
const EVERY: Duration = Duration::from_millis(20);

impl SteadyClient {
    pub(crate) fn start(url: String) -> Self {
        let (pid, answered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
        let problems = Arc::new(Mutex::new(Vec::new()));
        let (process, count, note) = (Arc::clone(&pid), Arc::clone(&answered), Arc::clone(&problems));
        let task = tokio::spawn(async move {
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
                        note.lock().unwrap().push(format!("a request received {}", answer.status()))
                    }
                    // A failure is a problem only if the process is still alive afterwards.
                    Err(error) => {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        if process.load(Ordering::SeqCst) == before && is_alive(before) {
                            note.lock().unwrap().push(format!("a request failed: {error:?}"));
                        }
                    }
                }
            }
        });
        Self { pid, answered, problems, task }
    }
}

impl Drop for SteadyClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns true if a process runs. A zombie does not.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
