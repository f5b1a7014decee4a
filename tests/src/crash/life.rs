use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::kill::Kill;
use crate::{Gateway, Workdir, client, faulty_binary};

/// How long anything may take. Far longer than it should.
const LIMIT: Duration = Duration::from_secs(40);

/// One process of the gateway, from its start to its end.
#[derive(Debug)]
pub(super) struct Life {
    gateway: Gateway,
    admin: u16,
}

impl Life {
    pub(super) fn begin(dir: &Workdir, admin: u16, token: &str, kill: Option<Kill>) -> Self {
        let armed = kill.map_or_else(String::new, Kill::armed);
        let environment = [("RUNBEAM_MACHINE_TOKEN", token), ("FAILPOINTS", &armed)];
        let environment = if kill.is_some() { &environment[..] } else { &environment[..1] };
        let arguments = ["--drain-secs", "1"];
        let gateway = Gateway::spawn_as(&faulty_binary(), &dir.config(), &arguments, environment);
        Self { gateway, admin }
    }

    /// Waits for its end by its own hand; an error when `over` comes first.
    pub(super) async fn until_killed(&mut self, over: impl Future<Output = ()>) -> Result<(), String> {
        use std::os::unix::process::ExitStatusExt as _;
        const ABORT: i32 = 6;
        tokio::select! {
            ended = self.gateway.ended() => match ended.signal() {
                Some(ABORT) => Ok(()),
                _ => Err(format!("it ended, but not where it was to be killed: {ended}")),
            },
            () = over => Err("the point was not reached".to_owned()),
        }
    }

    /// Waits until `look` says that it is so; an error with what it said last, or when the process ends.
    pub(super) async fn until<F>(&mut self, what: &str, mut look: impl FnMut() -> F) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>>,
    {
        let end = Instant::now() + LIMIT;
        loop {
            match look().await {
                Ok(()) => return Ok(()),
                Err(_) if !self.gateway.is_running() => return Err(format!("{what}: the gateway ended")),
                Err(last) if Instant::now() > end => {
                    return Err(format!("{what}: not within {LIMIT:?}: {last}"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// GET of a management path.
    pub(super) async fn ask(admin: u16, path: &str) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{admin}/admin/{path}");
        let answer = client().get(&url).send().await.map_err(|wrong| format!("{url}: {wrong}"))?;
        answer.json().await.map_err(|wrong| format!("{url}: {wrong}"))
    }

    /// Ends it as its operator does.
    pub(super) async fn end(&mut self) -> Result<(), String> {
        self.gateway.signal("TERM").await;
        let ended = tokio::time::timeout(LIMIT, self.gateway.ended()).await;
        match ended.map(|status| status.code()) {
            Ok(Some(0)) => Ok(()),
            other => Err(format!("told to stop, it ended with {other:?}")),
        }
    }

    pub(super) fn admin(&self) -> u16 {
        self.admin
    }

    pub(super) fn log(&self) -> String {
        self.gateway.log()
    }
}
