//! `harmony-host health`: the readiness of a running gateway, for the health checks of containers.

use std::time::Duration;

use clap::Args;
use http::Method;

use crate::cli::exit::Exit;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, text};

/// The arguments of `health`.
#[derive(Debug, Args)]
pub(super) struct Health {
    #[command(flatten)]
    gateway: ManagementClient,

    /// Ask only if the gateway answers, not if it is ready
    #[arg(long)]
    live: bool,
}

/// The deadline for the response.
const DEADLINE: Duration = Duration::from_secs(5);

impl Health {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let (path, key) = if self.live { ("health/live", "live") } else { ("health/ready", "ready") };
        let Answer { body, .. } = match self.gateway.request(Method::GET, path, DEADLINE).await {
            Ok(answer) => answer,
            Err(failure) => return failure.print(),
        };
        let is_healthy = body[key] == true;
        let mut screen = Screen::default();
        match (is_healthy, self.live) {
            (true, _) => screen.line(key),
            (false, true) => screen.line("not live"),
            (false, false) => screen.line(&format!("not ready: {}", text(&body["state"]))),
        }
        out::print(&screen.finish());
        if is_healthy { Exit::Done } else { Exit::NotReady }
    }
}
