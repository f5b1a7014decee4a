//! The command line of a gateway. A third party's gateway is a `main` that registers its providers and
//! calls [`main`].

mod ask;
mod check;
mod config_path;
mod log;
mod out;
mod resolve;
mod run;
mod state_dir;
mod status;
mod sync;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use provider_api::Registry;

/// A minimal Harmony gateway.
#[derive(Debug, Parser)]
#[command(name = "harmony-host", version, about, after_help = EXIT_CODES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `status`: in sync
  1  the configuration was refused; `status`: not in sync; `sync`: a change was rejected or waits
  2  the command line is wrong
  3  `resolve`: there is no such resource
  4  `resolve`: this gateway may not use it; `status`, `sync`: the gateway refuses
  5  something that is needed, such as the gateway or its provider, cannot be reached now
  6  `run`: requests were still in flight when the time to finish them was over";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a configuration, and every edit of it, until told to stop
    ///
    /// Edits of any file of the configuration are applied live; one that is wrong is refused with all its
    /// problems, and what was served is served on. SIGHUP reloads, SIGTERM and Ctrl-C drain and stop.
    Run(run::Run),
    /// Say everything that is wrong with a configuration, without serving it
    Check(check::Check),
    /// Show what a resource reference leads to
    ///
    /// For example: harmony-host resolve local.name.fhir-api
    Resolve(resolve::Resolve),
    /// Ask a running gateway whether it is in sync, and if not, why
    Status(status::Status),
    /// Let a running gateway ask its provider for changes now, and show what became of each
    ///
    /// This is how changes arrive when poll_interval_secs is 0; with an interval it need not be waited for.
    Sync(sync::Sync),
}

/// Runs the command line of a gateway with the given providers.
pub fn main(registry: Registry) -> ExitCode {
    let command = Cli::command().version(version(&registry));
    let cli = match Cli::from_arg_matches(&command.get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    #[cfg(feature = "failpoints")]
    let _points = crate::storage::failpoints::set_up();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::error(&format!("the asynchronous runtime cannot be started: {error}"));
            return ExitCode::from(5);
        }
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(run) => run.run(registry).await,
            Command::Check(check) => check.run(registry).await,
            Command::Resolve(resolve) => resolve.run(registry).await,
            Command::Status(status) => status.run().await,
            Command::Sync(sync) => sync.run().await,
        }
    });
    // A name look-up that hangs must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    ExitCode::from(code)
}

/// The version and what is compiled in: which providers a gateway can have is decided when it is built.
fn version(registry: &Registry) -> String {
    let providers: Vec<&str> = registry.types().collect();
    let providers = if providers.is_empty() { "none".to_owned() } else { providers.join(", ") };
    format!("{} (providers: {providers})", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
