//! `harmony-host run`.

use std::time::Duration;

use clap::Args;
use provider_api::Registry;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::config_path::ConfigPath;
use crate::cli::state_dir::StateDir;
use crate::cli::{log, out};
use crate::diagnostics::render::render;
use crate::gateway::RunningGateway;

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigPath,

    #[command(flatten)]
    state: StateDir,

    #[command(flatten)]
    log: log::Log,

    /// How long requests in flight may take to finish when the gateway stops, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_secs: u64,

    /// Push the local configuration up to the primary provider before following it
    #[arg(long, env = "RUNBEAM_PUSH_CONFIG_ON_STARTUP", value_parser = clap::builder::BoolishValueParser::new(),
          num_args = 0..=1, default_value = "false", default_missing_value = "true", require_equals = true)]
    push_on_start: bool,
}

impl Run {
    pub(super) async fn run(self, registry: Registry) -> u8 {
        if let Err(message) = self.log.start() {
            out::error(&message);
            return 2;
        }
        let signals =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
            out::error("signals cannot be received");
            return 5;
        };
        let compiled: Vec<&str> = registry.types().collect();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            providers = compiled.join(", "),
            "harmony-host starts"
        );
        let mut options = self.state.options(&self.config.config, registry);
        options.push_on_start = self.push_on_start;
        let gateway = match RunningGateway::start(options).await {
            Ok(gateway) => gateway,
            Err(rejection) => {
                out::eprint(&render(rejection.problems.sorted(), out::colour_of_errors()));
                out::error(&format!(
                    "the configuration was refused ({}); {} problems",
                    rejection.class,
                    rejection.problems.errors().count()
                ));
                return 1;
            }
        };
        tracing::info!(
            gateway = gateway.snapshot().gateway_id(),
            provider = %gateway.snapshot().primary_provider(),
            pipelines = gateway.snapshot().pipelines().count(),
            "ready"
        );
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reloading");
                    gateway.reload().await;
                }
            }
        }
        tracing::info!(seconds = self.drain_secs, "stopping; requests in flight may finish");
        match gateway.shut_down(Duration::from_secs(self.drain_secs)).await {
            true => 0,
            false => {
                tracing::warn!("requests were still in flight");
                6
            }
        }
    }
}
