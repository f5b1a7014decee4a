//! The command line of a gateway. A gateway with providers of its own is a `main` that registers them and calls
//! [`main`].

mod access_log;
mod api_address;
mod audit;
mod authorize;
mod check;
mod completions;
mod config_path;
mod diff;
mod duration;
mod exit;
mod explain;
mod failure;
mod health;
mod history;
mod log;
mod log_level;
mod man;
mod management_client;
mod metrics_reference;
#[cfg(feature = "otlp")]
mod otlp;
mod out;
mod panics;
mod pause;
mod plan;
mod resolve;
mod rollback;
mod run;
mod schema;
mod screen;
mod state_dir;
mod status;
mod sync;
mod times;
mod unknown_keys;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use provider_api::Registry;

use crate::cli::exit::Exit;
use crate::host::is_blank;

/// A minimal Harmony gateway
#[derive(Debug, Parser)]
#[command(name = "harmony-host", version, about, after_help = Exit::help(None), propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands. Clap shows their doc comments as help.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a configuration, and apply edits of it, until stopped
    ///
    /// The gateway applies an edit of any configuration file at once. It rejects an invalid one with all its problems,
    /// and keeps the previous configuration live. SIGHUP reloads; SIGTERM and Ctrl-C drain and stop, a second one ends at
    /// once; SIGUSR1 logs the status in one line; SIGUSR2 logs more, or as before.
    #[command(after_help = Exit::help(Some("run")))]
    Run(run::Run),
    /// Report every problem of a configuration, without serving it
    #[command(after_help = Exit::help(Some("check")))]
    Check(check::Check),
    /// Show the resource that a reference leads to
    ///
    /// For example: harmony-host resolve local.name.fhir-api
    #[command(after_help = Exit::help(Some("resolve")))]
    Resolve(resolve::Resolve),
    /// Show what an apply of the files, or of a change of the provider, would change; nothing is applied
    ///
    /// A running gateway builds the configuration as it does for an edit, and compares it with the one that it serves. If
    /// none runs, the files are compared with the last configuration that was live. A running gateway applies edits of
    /// its files at once: to see an edit before, make it in a copy of the directory, and give that with --files.
    #[command(after_help = Exit::help(Some("plan")))]
    Plan(plan::Plan),
    /// Explain where a URL leads and why, what a reference is, or what sets a key, in a running gateway
    ///
    /// For example: harmony-host explain https://api.example.com/images/7, explain /images/7, explain primary_provider,
    /// explain network.default.http.bind_port, explain pipelines.hello, explain runbeam.acme.ingress.name.fhir. Nothing
    /// is sent to a backend or to a control plane, and no secret is shown.
    #[command(after_help = Exit::help(Some("explain")))]
    Explain(explain::Explain),
    /// Print the JSON Schema of the configuration files, for editors
    ///
    /// For example: harmony-host schema > harmony.schema.json. An editor with a TOML language server such as taplo then
    /// completes and checks keys: begin a file with `#:schema ./harmony.schema.json`.
    #[command(after_help = Exit::help(Some("schema")))]
    Schema(schema::Schema),
    /// Print the reference of the metrics, as docs/METRICS.md has it
    #[command(hide = true, after_help = Exit::help(Some("metrics-reference")))]
    MetricsReference(metrics_reference::MetricsReference),
    /// Show whether a running gateway is in sync, and the reason if it is not
    #[command(after_help = Exit::help(Some("status")))]
    Status(status::Status),
    /// Make a running gateway fetch the changes of its provider now, and show the verdict of each
    ///
    /// With poll_interval_secs = 0 the gateway fetches changes only by this command. Otherwise it need not wait for
    /// the next poll.
    #[command(after_help = Exit::help(Some("sync")))]
    Sync(sync::Sync),
    /// Keep a running gateway from applying changes of its provider, until `resume`
    ///
    /// The gateway goes on asking which changes are pending, so that `status` shows what waits, and takes none of them. Edits
    /// of the files apply. The pause holds over restarts.
    #[command(after_help = Exit::help(Some("pause")))]
    Pause(pause::PauseSync),
    /// End a pause: the changes that wait are applied
    #[command(after_help = Exit::help(Some("resume")))]
    Resume(pause::ResumeSync),
    /// Show or change the log levels of a running gateway
    ///
    /// For example: harmony-host log-level harmony_host::sync=debug --for 10m
    #[command(after_help = Exit::help(Some("log-level")))]
    LogLevel(log_level::LogLevel),
    /// Authorize a running gateway at its control plane, by the login of a user in a browser
    ///
    /// The command prints an address to open on any machine. Afterwards the gateway has a machine token and syncs.
    #[command(after_help = Exit::help(Some("authorize")))]
    Authorize(authorize::Authorize),
    /// Print the completions of a shell
    ///
    /// For example: harmony-host completions bash > /etc/bash_completion.d/harmony-host
    #[command(after_help = Exit::help(Some("completions")))]
    Completions(completions::Completions),
    /// Print the manual page
    ///
    /// For example: harmony-host man --out /usr/local/share/man/man1
    #[command(after_help = Exit::help(Some("man")))]
    Man(man::Man),
    /// Tell whether a running gateway is ready for requests, for the health checks of containers
    #[command(after_help = Exit::help(Some("health")))]
    Health(health::Health),
    /// List the generations of a running gateway: when, by whom or what, and what changed; also what was refused
    #[command(after_help = Exit::help(Some("history")))]
    History(history::History),
    /// Show what differs between two generations, in words and line by line, without secrets
    ///
    /// For example: harmony-host diff 41 (with what is served), or harmony-host diff 40 41
    #[command(after_help = Exit::help(Some("diff")))]
    Diff(diff::Diff),
    /// Restore the files of an earlier generation, and make them live as a new one
    ///
    /// The files are written only if the configuration is valid; on any failure everything stays as it is. Certificates and
    /// keys are not part of a generation and stay.
    #[command(after_help = Exit::help(Some("rollback")))]
    Rollback(rollback::Rollback),
    /// Show the audit log: what was done to the gateway, by whom and with what result
    #[command(after_help = Exit::help(Some("audit")))]
    Audit(audit::Audit),
}

/// Runs the command line of a gateway with the given providers. Returns the exit code of the process.
pub fn main(registry: Registry) -> ExitCode {
    panics::print_panics();
    let command = without_blank_variables(Cli::command().version(version(&registry)));
    let own = command.clone();
    let cli = match Cli::from_arg_matches(&command.get_matches()) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    #[cfg(feature = "failpoints")]
    let _points = crate::storage::failpoints::set_up();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::error(&format!("cannot start the asynchronous runtime: {error}"));
            return Exit::Machine.into();
        }
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(run) => run.run(registry).await,
            Command::Check(check) => check.run(registry).await,
            Command::Resolve(resolve) => resolve.run(registry).await,
            Command::Explain(explain) => explain.run().await,
            Command::Plan(plan) => plan.run(registry).await,
            Command::MetricsReference(reference) => reference.run(),
            Command::Schema(schema) => schema.run(&registry),
            Command::Status(status) => status.run().await,
            Command::Sync(sync) => sync.run().await,
            Command::Pause(pause) => pause.run().await,
            Command::Resume(resume) => resume.run().await,
            Command::LogLevel(level) => level.run().await,
            Command::Authorize(authorize) => authorize.run().await,
            Command::Completions(completions) => completions.run(own),
            Command::Man(man) => man.run(own),
            Command::Health(health) => health.run().await,
            Command::History(history) => history.run().await,
            Command::Diff(diff) => diff.run().await,
            Command::Rollback(rollback) => rollback.run().await,
            Command::Audit(audit) => audit.run(registry),
        }
    });
    // A DNS lookup blocks a thread and cannot be cancelled; it must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    code.into()
}

/// Prints the help that was asked for, or what is wrong with the command line. Returns the exit code.
fn not_parsed(error: &clap::Error) -> ExitCode {
    // Nothing is left to do if the terminal is gone.
    let _ = error.print();
    let command = std::env::args_os().nth(1);
    match error.use_stderr() {
        true => Exit::of_usage(command.as_deref().and_then(|name| name.to_str())).into(),
        false => Exit::Done.into(),
    }
}

/// Ignores the variables that are set and blank, which is how people unset one: the command line then has its defaults.
fn without_blank_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| match argument.get_env().and_then(std::env::var_os) {
        Some(value) if is_blank(&value) => argument.env(None::<&str>),
        _ => argument,
    });
    command.mut_subcommands(without_blank_variables)
}

/// Returns the version and the providers that are compiled in.
fn version(registry: &Registry) -> String {
    let providers: Vec<&str> = registry.types().collect();
    let providers = if providers.is_empty() { "none".to_owned() } else { providers.join(", ") };
    format!("{} (providers: {providers})", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
