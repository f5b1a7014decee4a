//! `harmony-host run`: a gateway until a signal stops it.

mod observers;
mod service_manager;
mod signals;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use provider_api::{DisplayDuration, Registry};

use crate::access_log::AccessLog;
use crate::cli::access_log::AccessLogOptions;
use crate::cli::audit::AuditKey;
use crate::cli::config_path::ConfigPath;
use crate::cli::duration;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::log::{Log, Logging};
#[cfg(feature = "otlp")]
use crate::cli::otlp::OtlpOptions;
use crate::cli::run::observers::Observers;
use crate::cli::run::service_manager::{Message, Reports, tell, while_stopping};
use crate::cli::run::signals::{Signal, Signals};
use crate::cli::run::summary::summary;
use crate::cli::state_dir::StateDir;
use crate::cli::unknown_keys::UnknownKeys;
use crate::gateway::RunningGateway;
use crate::server::descriptors;

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
    audit_key: AuditKey,

    #[command(flatten)]
    access_log: AccessLogOptions,

    #[cfg(feature = "otlp")]
    #[command(flatten)]
    otlp: OtlpOptions,

    /// Count no requests: the benchmark compares with it
    #[arg(long, hide = true)]
    no_request_metrics: bool,
    /// The time for which the gateway still serves after SIGTERM, while health/ready answers 503, before it drains
    ///
    /// Set it to the time in which load balancers notice that the gateway is not ready: the interval of their probes times
    /// the failures that they wait for. A second SIGTERM or Ctrl-C ends at once.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    lame_duck: Duration,

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
        let observers = match self.observers() {
            Ok(observers) => observers,
            Err(failure) => return failure.print(),
        };
        let exit = self.serve(registry, &log, &observers).await;
        observers.finish().await;
        log.finish();
        exit
    }

    /// Starts the observers that the command line asks for.
    ///
    /// # Errors
    /// The reason for which one cannot start.
    fn observers(&self) -> Result<Observers, Failure> {
        Ok(Observers {
            access_log: self.access_log.start()?,
            #[cfg(feature = "otlp")]
            spans: self.otlp.start()?,
        })
    }

    /// Serves until a signal stops the gateway, and returns the exit code.
    async fn serve(&self, registry: Registry, log: &Logging, observers: &Observers) -> Exit {
        let Ok(mut signals) = Signals::install() else {
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
        options.audit_key_file = self.audit_key.file();
        options.push_on_start = self.push_on_start;
        let traffic = observers.traffic(!self.no_request_metrics);
        options.allow_unknown_keys = self.unknown.allow_unknown_keys;
        options.log_levels = Some(log.levels());
        let gateway = match RunningGateway::start_observed(options, traffic).await {
            Ok(gateway) => gateway,
            Err(rejection) => {
                log.refused(&rejection);
                return Exit::InvalidConfig;
            }
        };
        observers.name(gateway.snapshot().gateway_id());
        tracing::info!(
            gateway = gateway.snapshot().gateway_id(),
            provider = %gateway.snapshot().primary_provider(),
            pipelines = gateway.snapshot().pipelines().count(),
            "ready"
        );
        tell(Message::Ready).await;
        let reports = Reports::start(&gateway);
        let logs = Logs { log, access_log: observers.access_log() };
        serve_until_stop(&gateway, &mut signals, logs).await;
        self.stop(gateway, reports, signals, logs).await
    }

    /// Lets load balancers turn away, drains and stops. Returns the exit code.
    async fn stop(
        &self,
        gateway: RunningGateway,
        reports: Reports,
        mut signals: Signals,
        logs: Logs<'_>,
    ) -> Exit {
        let in_flight = gateway.requests_in_flight().await;
        gateway.announce_stop();
        tell(Message::Stopping).await;
        let mut is_urgent = false;
        if !self.lame_duck.is_zero() {
            let lame_duck = DisplayDuration(self.lame_duck);
            tracing::info!(
                in_flight,
                "stopping in {lame_duck}: health/ready answers 503, and requests are served"
            );
            tokio::select! {
                biased;
                () = serve_until_stop(&gateway, &mut signals, logs) => is_urgent = true,
                () = tokio::time::sleep(self.lame_duck) => {}
            }
        }
        // The task that they watch stops.
        drop(reports);
        let in_flight = gateway.requests_in_flight().await;
        let limit = match is_urgent {
            true => Duration::ZERO,
            false => Duration::from_secs(self.drain_secs),
        };
        tracing::info!(in_flight, seconds = limit.as_secs(), "stopping; waiting for requests in flight");
        let hurry = async {
            signals.stop().await;
            tracing::warn!("a second signal to stop; ending at once");
        };
        match while_stopping(gateway.drain(limit, hurry)).await {
            0 => {
                tracing::info!("stopped; no request was in flight");
                Exit::Done
            }
            in_flight => {
                tracing::warn!(in_flight, "stopped while requests were in flight");
                Exit::InFlight
            }
        }
    }
}

/// The logs that signals are about.
#[derive(Clone, Copy)]
struct Logs<'a> {
    log: &'a Logging,
    access_log: Option<&'a Arc<AccessLog>>,
}

/// Handles the signals until one says to stop. Cancel safe.
async fn serve_until_stop(gateway: &RunningGateway, signals: &mut Signals, logs: Logs<'_>) {
    let Logs { log, access_log } = logs;
    loop {
        match signals.next().await {
            Signal::Stop => return,
            Signal::Reload => {
                tracing::info!("SIGHUP: reloading");
                if let Some(access_log) = access_log {
                    access_log.reopen();
                }
                tell(Message::Reloading).await;
                gateway.reload_at("SIGHUP").await;
                tell(Message::Ready).await;
            }
            Signal::Status => {
                let in_flight = gateway.requests_in_flight().await;
                log.say(&format!("SIGUSR1: {}; requests in flight: {in_flight}", summary(gateway)));
            }
            Signal::Debug => match log.toggle_debug() {
                Ok(levels) => {
                    log.say(&format!("SIGUSR2: the log has the levels {}", levels.directives.join(",")));
                    gateway.levels_changed_at("SIGUSR2", &levels).await;
                }
                Err(error) => log.say(&format!("SIGUSR2: the log has the levels of before: {error}")),
            },
        }
    }
}
