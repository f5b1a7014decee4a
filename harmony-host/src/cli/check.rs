//! `harmony-host check`: the problems of a configuration.

use clap::Args;
use provider_api::Registry;
use serde_json::json;

use crate::apply::Activation as _;
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::out;
use crate::cli::screen::{Screen, counted};
use crate::cli::state_dir::StateDir;
use crate::cli::unknown_keys::UnknownKeys;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::render::render;
use crate::gateway::Gateway;
use crate::host;
use crate::snapshot::Snapshot;
use crate::status::ProblemReport;

/// The arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct Check {
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

impl Check {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self, registry: Registry) -> Exit {
        let path = self.config.config.display().to_string();
        let mut options = self.state.options(&self.config.config, registry);
        options.allow_unknown_keys = self.unknown.allow_unknown_keys;
        let checked = host::check(&options, Gateway::new().capabilities()).await;
        let (problems, snapshot) = match checked {
            Ok(snapshot) => (snapshot.warnings().to_vec(), Some(snapshot)),
            Err(rejection) => (rejection.problems.sorted().into_iter().cloned().collect(), None),
        };
        let problems = Problems::from(problems);
        let warnings = counted(problems.warnings().count(), "warning");
        if self.json {
            let report = json!({
                "ok": snapshot.is_some(),
                "errors": problems.errors().map(ProblemReport::from).collect::<Vec<_>>(),
                "warnings": problems.warnings().map(ProblemReport::from).collect::<Vec<_>>(),
                "overlay": snapshot.as_ref().map_or_else(Vec::new, overlaid),
            });
            out::json(&report);
        } else {
            out::print(&render(problems.sorted(), out::colour()));
            let mut screen = Screen::default();
            for file in snapshot.as_ref().map_or_else(Vec::new, overlaid) {
                screen.line(&format!("from the overlay: {file}"));
            }
            screen.line(&match &snapshot {
                Some(snapshot) => format!("{path}: {}, {warnings}", summary(snapshot)),
                None => {
                    format!("{path}: rejected, {}, {warnings}", counted(problems.errors().count(), "error"))
                }
            });
            out::print(&screen.finish());
        }
        if snapshot.is_some() { Exit::Done } else { Exit::InvalidConfig }
    }
}

/// Returns the paths of the files that were read from the overlay.
fn overlaid(snapshot: &Snapshot) -> Vec<String> {
    let paths = snapshot.documents.entries().filter_map(|(_, document)| document.overlay.as_deref());
    paths.map(|path| path.display().to_string()).collect()
}

/// Returns one line about a valid configuration.
fn summary(snapshot: &Snapshot) -> String {
    let config = &snapshot.config;
    let served = config.pipelines.iter().filter(|linked| linked.unserved.is_none()).count();
    format!(
        "ok, provider {}, {}, {} ({served} served), {}",
        config.primary.name,
        counted(config.networks.len(), "network"),
        counted(config.pipelines.len(), "pipeline"),
        counted(config.meshes.len(), "mesh"),
    )
}
