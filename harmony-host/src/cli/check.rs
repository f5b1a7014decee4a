//! `harmony-host check`.

use clap::Args;
use provider_api::Registry;
use serde_json::json;

use crate::apply::Activation as _;
use crate::cli::config_path::ConfigPath;
use crate::cli::out;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::render::render;
use crate::gateway::Gateway;
use crate::host::{self, HostOptions};
use crate::snapshot::Snapshot;
use crate::status::ProblemReport;

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigPath,

    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn run(self, registry: Registry) -> u8 {
        let path = self.config.config.display().to_string();
        let checked =
            host::check(&HostOptions::new(&self.config.config, registry), Gateway::new().capabilities())
                .await;
        let (problems, snapshot) = match checked {
            Ok(snapshot) => (snapshot.warnings().to_vec(), Some(snapshot)),
            Err(rejection) => (rejection.problems.sorted().into_iter().cloned().collect(), None),
        };
        let problems = Problems::from(problems);
        let (errors, warnings) = (problems.errors().count(), problems.warnings().count());
        if self.json {
            let answer = json!({
                "ok": snapshot.is_some(),
                "errors": problems.errors().map(ProblemReport::from).collect::<Vec<_>>(),
                "warnings": problems.warnings().map(ProblemReport::from).collect::<Vec<_>>(),
            });
            out::print(&format!("{answer:#}\n"));
        } else {
            out::print(&render(problems.sorted(), out::colour()));
            match &snapshot {
                Some(snapshot) => {
                    out::print(&format!("{path}: {}, {warnings} warnings\n", summary(snapshot)))
                }
                None => out::print(&format!("{path}: refused, {errors} errors, {warnings} warnings\n")),
            }
        }
        u8::from(snapshot.is_none())
    }
}

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

fn counted(n: usize, what: &str) -> String {
    match (n, what.ends_with('h')) {
        (1, _) => format!("1 {what}"),
        (_, true) => format!("{n} {what}es"),
        (_, false) => format!("{n} {what}s"),
    }
}
