//! `harmony-host run`: a gateway until a signal stops it.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use provider_api::Registry;
use tokio::signal::unix::{SignalKind, signal};

use crate::access_log::AccessLog;
use crate::cli::access_log::AccessLogOptions;
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::log::{Log, Logging};
use crate::cli::state_dir::StateDir;
use crate::cli::unknown_keys::UnknownKeys;
use crate::gateway::RunningGateway;
use crate::metrics::Traffic;
use crate::server::descriptors;

/// The time that the access log gets at the end of the process to write its last lines.
const ACCESS_LOG_FINISH: Duration = Duration::from_secs(1);

/// The arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigPath,

    #[command(flatten)]
    state: StateDir,

    #[command(flatten)]
    unknown: UnknownKeys,

    #[command(flatten)]
    log: Log,

    #[command(flatten)]
    access_log: AccessLogOptions,

    /// Count no requests: the benchmark compares with it
    #[arg(long, hide = true)]
    no_request_metrics: bool,

    /// The deadline for requests in flight when the gateway stops, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain_secs: u64,

    /// Push the local configuration to the primary provider before fetching its changes
    #[arg(long, env = "RUNBEAM_PUSH_CONFIG_ON_STARTUP", value_parser = clap::builder::BoolishValueParser::new(),
          num_args = 0..=1, default_value = "false", default_missing_value = "true", require_equals = true)]
    push_on_start: bool,
}

impl Run {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self, registry: Registry) -> Exit {
        let log = match self.log.start() {
            Ok(log) => log,
            Err(failure) => return failure.print(),
        };
        let access_log = match self.access_log.start() {
            Ok(access_log) => access_log,
            Err(failure) => return failure.print(),
        };
        let exit = self.serve(registry, &log, access_log.as_ref()).await;
        if let Some(access_log) = access_log {
            access_log.finish(ACCESS_LOG_FINISH);
        }
        log.finish();
        exit
    }

    /// Serves until a signal stops the gateway, and returns the exit code.
    async fn serve(&self, registry: Registry, log: &Logging, access_log: Option<&Arc<AccessLog>>) -> Exit {
        let signals =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
            log.failed("cannot install the signal handlers");
            return Exit::Machine;
        };
        let providers: Vec<&str> = registry.types().collect();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            providers = providers.join(", "),
            "harmony-host starts"
        );
        descriptors::raise();
        let mut options = self.state.options(&self.config.config, registry);
        options.push_on_start = self.push_on_start;
        let traffic = Traffic::new(!self.no_request_metrics, access_log.cloned());
        options.allow_unknown_keys = self.unknown.allow_unknown_keys;
        let gateway = match RunningGateway::start_observed(options, traffic).await {
            Ok(gateway) => gateway,
            Err(rejection) => {
                log.refused(&rejection);
                return Exit::InvalidConfig;
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
                    if let Some(access_log) = access_log {
                        access_log.reopen();
                    }
                    gateway.reload().await;
                }
            }
        }
        tracing::info!(seconds = self.drain_secs, "stopping; waiting for requests in flight");
        match gateway.shut_down(Duration::from_secs(self.drain_secs)).await {
            true => Exit::Done,
            false => {
                tracing::warn!("stopped while requests were in flight");
                Exit::InFlight
            }
        }
    }
}
