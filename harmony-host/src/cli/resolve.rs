//! `harmony-host resolve`: the resource of a reference.

use clap::Args;
use provider_api::{Error, ErrorKind, Reference, Registry, Resource};

use crate::apply::Activation as _;
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::out;
use crate::cli::state_dir::StateDir;
use crate::cli::unknown_keys::UnknownKeys;
use crate::diagnostics::render::render;
use crate::gateway::Gateway;
use crate::host::check;

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
                out::print(&self.render_resource(&reference, &resolved.resource));
                Exit::Done
            }
            Err(error) => {
                out::error(&error.to_string());
                exit_code(&error)
            }
        }
    }

    /// Returns the resource as text or JSON.
    fn render_resource(&self, reference: &Reference, resource: &Resource) -> String {
        if self.json {
            return serde_json::to_string_pretty(resource).unwrap_or_default() + "\n";
        }
        let mut text = format!(
            "{reference}\n  type      {}\n  name      {}\n  id        {}\n",
            resource.kind, resource.name, resource.id
        );
        for url in &resource.urls {
            text.push_str(&format!("  url       {url}\n"));
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
                text.push_str(&format!("  {name:<9} {value}\n"));
            }
        }
        if !resource.enabled {
            text.push_str("  disabled\n");
        }
        text
    }
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
