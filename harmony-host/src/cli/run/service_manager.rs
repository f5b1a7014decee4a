//! The service manager, such as systemd: it is told that the gateway is ready, reloads, stops, and works.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;

use crate::cli::run::summary::summary;
use crate::host::Host;

/// The longest status text, in characters.
const MAX_STATUS: usize = 256;

/// The least time between two updates of the status text.
const UPDATE: Duration = Duration::from_secs(1);

/// A message to the service manager.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// The gateway serves; also the end of a reload.
    Ready,
    /// A reload begins.
    Reloading,
    /// The gateway is about to stop.
    Stopping,
    /// One line for people.
    Status(String),
    /// The gateway works.
    Alive,
}

/// Sends a message, if there is a service manager (`NOTIFY_SOCKET`). A failure is logged: the service manager shows it too,
/// by its timeout. The socket may block, so it is written to from a thread for that.
pub(super) async fn tell(message: Message) {
    let sent = tokio::task::spawn_blocking(move || match message {
        Message::Ready => sd_notify::notify(&[NotifyState::Ready]),
        Message::Reloading => {
            sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
        }
        Message::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        Message::Status(text) => {
            let text: String = text.chars().take(MAX_STATUS).collect();
            sd_notify::notify(&[NotifyState::Status(&text)])
        }
        Message::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
    });
    if let Ok(Err(error)) = sent.await {
        tracing::warn!(%error, "the service manager cannot be told the state of the gateway");
    }
}

/// The tasks that keep the service manager informed. Dropping them ends them.
#[derive(Debug)]
pub(super) struct Reports(Vec<JoinHandle<()>>);

impl Reports {
    /// Starts the tasks, if there is a service manager.
    pub(super) fn start(host: &Host) -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self(Vec::new());
        }
        let mut tasks = vec![tokio::spawn(report_status(host.clone()))];
        if let Some(limit) = sd_notify::watchdog_enabled() {
            tasks.push(tokio::spawn(keep_alive(host.clone(), limit)));
        }
        Self(tasks)
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Sends the status in one line, and again when it has changed. Never returns.
async fn report_status(host: Host) {
    let (mut changes, mut last) = (host.status_changes(), String::new());
    loop {
        let now = summary(&host);
        if now != last {
            tell(Message::Status(now.clone())).await;
            last = now;
        }
        tokio::time::sleep(UPDATE).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the service manager that the gateway works, each time that the task which applies configurations has shown it. The
/// message is not sent by a timer alone: it needs a thread of the runtime, its timer and that task. Never returns.
async fn keep_alive(host: Host, limit: Duration) {
    loop {
        host.heartbeat().await;
        tell(Message::Alive).await;
        tokio::time::sleep(pause(limit)).await;
    }
}

/// Runs the end of a gateway, and tells the service manager meanwhile that it works: the task that applies configurations has
/// stopped then, and `end` has a deadline of its own.
pub(super) async fn while_stopping<T>(end: impl Future<Output = T>) -> T {
    let mut end = std::pin::pin!(end);
    let Some(limit) = sd_notify::watchdog_enabled() else { return end.await };
    loop {
        tokio::select! {
            biased;
            ended = &mut end => return ended,
            () = tokio::time::sleep(pause(limit)) => tell(Message::Alive).await,
        }
    }
}

/// Returns the time between two messages: three in the time after which the service manager gives the gateway up.
fn pause(limit: Duration) -> Duration {
    limit / 3
}
