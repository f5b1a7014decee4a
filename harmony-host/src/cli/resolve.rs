//! `harmony-host resolve`: the resource of a reference.

use clap::Args;
use provider_api::{Error, ErrorKind, Reference, Registry, Resource};

use crate::apply::Activation as _;
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::out;
use crate::cli::screen::Screen;
use crate::cli::state_dir::StateDir;
use crate::cli::unknown_keys::UnknownKeys;
use crate::diagnostics::render::render;
use crate::gateway::Gateway;
use crate::host::check;
use crate::providers::isolate::error_chain;

/// The arguments of `resolve`.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// A bare name, local.name.<name>, <provider>.id.<id>, <provider>.<team>.id.<id>,
    /// <provider>.<team>.<type>.name.<name> or <provider>.<team>.<type>.id.<id>
    reference: String,

    #[command(flatten)]
    config: ConfigPath,

    #[command(flatten)]
    state: StateDir,

    #[command(flatten)]
    unknown: UnknownKeys,

    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Resolve {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self, registry: Registry) -> Exit {
        let reference = match self.reference.parse::<Reference>() {
            Ok(reference) => reference,
            Err(invalid) => {
                out::error(&invalid.to_string());
                return Exit::Usage;
            }
        };
        let mut options = self.state.options(&self.config.config, registry);
        options.allow_unknown_keys = self.unknown.allow_unknown_keys;
        let snapshot = match check(&options, Gateway::new().capabilities()).await {
            Ok(snapshot) => snapshot,
            Err(rejection) => {
                out::eprint(&render(rejection.problems.sorted(), out::colour_of_errors()));
                return Exit::InvalidConfig;
            }
        };
        let Some(resolver) = snapshot.providers().resolver(&reference) else {
            let active: Vec<String> = snapshot.config.active().map(String::from).collect();
            out::error(&format!(
                "the provider `{}` is not active or cannot resolve references; active: {}",
                reference.provider(),
                active.join(", ")
            ));
            return Exit::NotFound;
        };
        match resolver.resolve(&reference).await {
            Ok(resolved) => {
                match self.json {
                    true => out::json(&serde_json::to_value(&resolved.resource).unwrap_or_default()),
                    false => out::print(&screen(&reference, &resolved.resource)),
                }
                Exit::Done
            }
            Err(error) => {
                out::error(&error_chain(&error));
                exit_code(&error)
            }
        }
    }
}

/// Returns the resource as text.
fn screen(reference: &Reference, resource: &Resource) -> String {
    let mut screen = Screen::default();
    screen.line(&reference.to_string());
    screen.row("type", resource.kind.as_str());
    screen.row("name", &resource.name);
    screen.row("id", &resource.id);
    for url in &resource.urls {
        screen.row("url", url);
    }
    let optional = [
        ("pipeline", &resource.pipeline_id),
        ("endpoint", &resource.endpoint_id),
        ("backend", &resource.backend_id),
        ("service", &resource.service_id),
        ("team", &resource.team_id),
        ("gateway", &resource.gateway_id),
        ("about", &resource.description),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            screen.row(name, value);
        }
    }
    if !resource.enabled {
        screen.line("  disabled");
    }
    screen.finish()
}

/// Returns the exit code for an error of a provider.
fn exit_code(error: &Error) -> Exit {
    match error.kind() {
        ErrorKind::Invalid => Exit::Usage,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Denied => Exit::Denied,
        ErrorKind::Unavailable => Exit::NoProvider,
    }
}
