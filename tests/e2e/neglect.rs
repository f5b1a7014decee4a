//! Clients that neglect their connections: silent ones, half requests, answers that nobody reads, and floods of them.

mod descriptors;
mod goodbye;
mod places;
mod refusals;
mod silent;
mod slow;
mod unread;
mod uploads;

use std::path::PathBuf;
use std::time::Duration;

use harmony_tests::site::{BASE, on_ports};
use harmony_tests::{Gateway, Workdir, binary, client, eventually, free_port};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;

/// The start of an HTTP/2 connection: the preface, and SETTINGS without a setting.
const HTTP2_START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A gateway process on the provider `local`.
struct Process {
    gateway: Gateway,
    port: u16,
    admin: u16,
    dir: Workdir,
}

impl Process {
    /// Starts a gateway with these sections.
    async fn start(sections: &str) -> Self {
        Self::with(sections, "true", &[]).await
    }

    /// Starts a gateway with these sections and arguments, after the shell command `before`.
    async fn with(sections: &str, before: &str, arguments: &[&str]) -> Self {
        let (port, admin) = (free_port(), free_port());
        let dir = Workdir::with([("config.toml", on_ports(&format!("{BASE}{sections}"), port, admin))]);
        let mut gateway = spawn(&dir, before, arguments, &[]);
        gateway.wait_until_ready().await;
        Self { gateway, port, admin, dir }
    }

    /// The number of open descriptors of the process.
    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.gateway.pid())).unwrap().count()
    }

    /// The memory of the process, in KiB.
    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until the process has at most `count` descriptors.
    async fn wait_for_descriptors(&self, count: usize) {
        eventually("the descriptors are closed", || async {
            let open = self.descriptors();
            if open <= count { Ok(()) } else { Err(open) }
        })
        .await;
    }

    /// Opens a connection to the network `public` and sends `bytes`.
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        send(self.port, bytes).await
    }
}

/// Starts a gateway on `dir` after a shell command, such as `ulimit -n 512`.
fn spawn(dir: &Workdir, before: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Gateway {
    let program: PathBuf = binary();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{before} && exec \"$0\" \"$@\"")).arg(program);
    command.arg("run").arg("--config").arg(dir.config()).args(arguments);
    Gateway::spawn_command(command, &dir.config(), environment)
}

async fn send(port: u16, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let _ = stream.write_all(bytes).await;
    stream
}

/// Sends a GET request on a new connection, within a generous limit, and returns the status.
async fn status(port: u16, path: &str) -> u16 {
    let request = client().get(format!("http://127.0.0.1:{port}{path}")).send();
    let answer = tokio::time::timeout(Duration::from_secs(15), request).await;
    answer.unwrap_or_else(|_| panic!("no answer to {path}")).unwrap().status().as_u16()
}
