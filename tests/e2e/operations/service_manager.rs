//! The protocol of service managers (sd_notify), over a real socket.

use std::path::PathBuf;

use harmony_tests::site::echo;
use harmony_tests::{Gateway, Workdir, binary};
use tokio::net::UnixDatagram;

use super::configuration;

/// The socket of a service manager, and the messages that it got and did not show yet.
pub(super) struct Manager {
    socket: UnixDatagram,
    pub(super) path: PathBuf,
    _dir: Workdir,
}

impl Manager {
    pub(super) fn new() -> Self {
        let dir = Workdir::new();
        let path = dir.path().join("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), path, _dir: dir }
    }

    /// Returns the next message, without those that only say that the gateway works or how it is.
    pub(super) async fn next(&self) -> String {
        loop {
            let message = self.any().await;
            if !message.starts_with("WATCHDOG=1") && !message.starts_with("STATUS=") {
                return message;
            }
        }
    }

    /// Waits for a message with `text`.
    async fn wait_for(&self, text: &str) -> String {
        loop {
            let message = self.any().await;
            if message.contains(text) {
                return message;
            }
        }
    }

    async fn any(&self) -> String {
        let mut buffer = [0; 4096];
        let received =
            tokio::time::timeout(std::time::Duration::from_secs(20), self.socket.recv(&mut buffer));
        let length = received.await.expect("a message of the gateway").unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }
}

#[tokio::test]
async fn service_manager_follows_the_gateway() {
    let manager = Manager::new();
    let (dir, _, _) = configuration(&echo("api", "/api"));
    let socket = manager.path.display().to_string();
    let environment = [("NOTIFY_SOCKET", &*socket), ("WATCHDOG_USEC", "300000")];
    let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &["--lame-duck", "1s"], &environment);
    assert_eq!(manager.next().await, "READY=1\n");
    // It is told again and again that the gateway works, without another event.
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1\n").await;
    }
    dir.replace("config.toml", &dir.read("config.toml").replace("\"/api\"", "\"no path\""));
    let status = manager.wait_for("STATUS=NOT in sync").await;
    assert!(status.contains("generation 1") && status.lines().count() == 1, "{status:?}");
    gateway.signal("HUP").await;
    let reloading = manager.next().await;
    let (first, second) = reloading.trim_end().split_once('\n').unwrap();
    assert_eq!(first, "RELOADING=1");
    let time = second.strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(time.parse::<u64>().is_ok_and(|time| time > 0), "{second}");
    assert_eq!(manager.next().await, "READY=1\n");
    gateway.signal("TERM").await;
    assert_eq!(manager.next().await, "STOPPING=1\n");
    // Also while it stops.
    manager.wait_for("WATCHDOG=1\n").await;
    assert_eq!(gateway.exit_code().await, 0, "{}", gateway.log());
}

/// The watchdog belongs to one process: another one with the same environment does not answer for it.
#[tokio::test]
async fn watchdog_of_another_process_is_not_answered() {
    let manager = Manager::new();
    let (dir, _, _) = configuration("");
    let socket = manager.path.display().to_string();
    let environment = [("NOTIFY_SOCKET", &*socket), ("WATCHDOG_USEC", "200000"), ("WATCHDOG_PID", "1")];
    let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &[], &environment);
    assert_eq!(manager.next().await, "READY=1\n");
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
    let mut all = String::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = manager.socket.try_recv(&mut buffer) {
        all.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert!(all.contains("STOPPING=1") && !all.contains("WATCHDOG"), "{all}");
}

#[tokio::test]
async fn service_manager_that_is_away_stops_nothing() {
    let (dir, _, _) = configuration("");
    let environment = [("NOTIFY_SOCKET", "/nonexistent/notify")];
    let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &[], &environment);
    gateway.wait_for_log("the service manager cannot be told").await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
}
