//! `harmony-host plan`: what an apply would change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::{Method, StatusCode};
use provider_api::Registry;
use serde_json::{Value, json};

use crate::apply::Activation as _;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, counted, text};
use crate::cli::unknown_keys::UnknownKeys;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Touched};
use crate::gateway::Gateway;
use crate::host::{absolute, foresee};

/// The arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    gateway: ManagementClient,

    /// Plan a change of the provider, by its id, instead of the files
    ///
    /// The change may be pending, fetched, deferred, in quarantine or new at the provider. It is neither acknowledged nor
    /// applied. It is planned alone: other pending changes may make a difference.
    #[arg(long, value_name = "ID", conflicts_with = "files")]
    change: Option<String>,

    /// Plan these files, in the place of those of the gateway: the path of another config.toml
    ///
    /// The files beside it are read too, and sent to the gateway, keys included.
    #[arg(long, value_name = "PATH")]
    files: Option<PathBuf>,

    #[command(flatten)]
    unknown: UnknownKeys,

    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response: the gateway builds a configuration, and may fetch a change before.
const DEADLINE: Duration = Duration::from_secs(120);

impl Plan {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self, registry: Registry) -> Exit {
        let planned = match self.gateway.is_stopped() {
            true => self.without_gateway(registry).await,
            false => self.of_gateway().await,
        };
        let plan = match planned {
            Ok(plan) => plan,
            Err(failure) => return failure.print(),
        };
        match self.json {
            true => out::json(&plan),
            false => out::print(&screen(&plan)),
        }
        exit(&plan)
    }

    /// Compares the files with the last configuration that was live, since no gateway runs.
    async fn without_gateway(&self, registry: Registry) -> Result<Value, Failure> {
        let config = self.gateway.config().display().to_string();
        if self.change.is_some() {
            let message = format!(
                "no gateway runs on {config}, and only a running one has the changes of its provider"
            );
            return Err(Failure::new(Exit::NoGateway, message)
                .help("start it; if it runs with another state directory, give that with --state-dir"));
        }
        if self.files.is_some() {
            let message = format!("no gateway runs on {config}, to which other files could be given");
            return Err(Failure::new(Exit::NoGateway, message)
                .help("without --files the files of the configuration are compared with the last ones that were live"));
        }
        let mut options = self.gateway.options(registry);
        options.allow_unknown_keys = self.unknown.allow_unknown_keys;
        let foreseen = foresee(&options, Gateway::new().capabilities()).await;
        Ok(serde_json::to_value(&foreseen).unwrap_or_default())
    }

    /// Asks the running gateway.
    async fn of_gateway(&self) -> Result<Value, Failure> {
        let Answer { status, body, .. } = match (&self.change, &self.files) {
            (Some(id), _) => {
                let query =
                    url::form_urlencoded::Serializer::new(String::new()).append_pair("change", id).finish();
                self.gateway.request(Method::GET, &format!("plan?{query}"), DEADLINE).await?
            }
            (None, Some(path)) => self.gateway.post("plan/files", &files(path)?, DEADLINE).await?,
            (None, None) => self.gateway.request(Method::GET, "plan", DEADLINE).await?,
        };
        if status.is_success() && body["verdict"].is_string() {
            return Ok(body);
        }
        let message =
            body["message"].as_str().unwrap_or("the answer is no plan: is the gateway an older version?");
        Err(Failure::new(self.exit_of(status), message))
    }

    /// Returns the exit code for a refusal by the gateway.
    fn exit_of(&self, status: StatusCode) -> Exit {
        match (&self.change, status) {
            (Some(_), StatusCode::NOT_FOUND) => Exit::NotFound,
            (Some(_), StatusCode::FORBIDDEN) => Exit::Denied,
            (Some(_), StatusCode::SERVICE_UNAVAILABLE) => Exit::NoProvider,
            (_, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE) => Exit::Usage,
            _ => Exit::NoGateway,
        }
    }
}

/// Returns the request with the files of a configuration.
///
/// # Errors
/// The file that cannot be read.
fn files(path: &Path) -> Result<Value, Failure> {
    let path = absolute(path);
    let loaded = Documents::load(&Layers::base_only(&path), None, None, &Touched::Everything);
    if loaded.documents.gateway().is_none() || !loaded.documents.is_of_disk() {
        let first = loaded.problems.sorted_errors().first().map(ToString::to_string);
        let message = first.unwrap_or_else(|| format!("{} cannot be read", path.display()));
        return Err(Failure::new(Exit::InvalidConfig, message));
    }
    let config = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let files: BTreeMap<&str, &str> = loaded.documents.texts().collect();
    Ok(json!({ "config": config, "files": files }))
}

/// Returns the exit code for a plan.
fn exit(plan: &Value) -> Exit {
    let has_differences = plan["differences"].as_array().is_some_and(|all| !all.is_empty());
    match plan["verdict"].as_str() {
        Some("applied") if has_differences => Exit::Differences,
        Some("applied" | "unchanged") => Exit::Done,
        Some("deferred") => Exit::NotInSync,
        _ => Exit::InvalidConfig,
    }
}

/// Returns a plan as text.
fn screen(plan: &Value) -> String {
    let mut screen = Screen::default();
    let all = plan["differences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let left_out = plan["left_out"].as_u64().unwrap_or_default();
    screen.line(&verdict(plan, all.len() as u64 + left_out));
    screen.row(
        "compared",
        &match plan["against"].as_str() {
            Some("gateway") => format!("with generation {} of the running gateway", plan["generation"]),
            Some("saved") => "with the last configuration that was live; no gateway runs".to_owned(),
            _ => "with nothing: no gateway runs, and no configuration is saved".to_owned(),
        },
    );
    if let Some(change) = plan["change"].as_object() {
        let change = Value::from(change.clone());
        screen.row("change", &format!("{} {}", text(&change["kind"]), text(&change["id"])));
        let writes: Vec<&str> = change["writes"].as_array().into_iter().flatten().map(text).collect();
        if !writes.is_empty() {
            screen.row("writes", &writes.join(", "));
        }
    }
    for one in all {
        let sign = match one["sign"].as_str() {
            Some("added") => "+",
            Some("removed") => "-",
            _ => "~",
        };
        let text = one["text"].as_str().unwrap_or("-");
        let text = text.split_once(' ').map_or(text, |(_, rest)| rest);
        screen.line(&format!("{sign} {text}"));
    }
    if left_out > 0 {
        screen.line(&format!("and {left_out} more differences"));
    }
    if !all.is_empty() {
        screen.row("restarts", "nothing; a request in flight ends with the configuration that it began with");
    }
    problems(plan, &mut screen);
    let questions = plan["only_on_apply"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !questions.is_empty() {
        screen.line("known only on apply");
        questions.iter().for_each(|question| screen.line(&format!("  {}", text(question))));
    }
    screen.finish()
}

/// Returns the verdict as a line.
fn verdict(plan: &Value, count: u64) -> String {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let files = plan["files"].as_u64().unwrap_or_default();
    match plan["verdict"].as_str() {
        Some("unchanged") => "no difference".to_owned(),
        Some("applied") if count == 0 => {
            let files = counted(usize::try_from(files).unwrap_or_default(), "file");
            format!("no difference in meaning; the text of {files} differs")
        }
        Some("applied") => format!("would be applied, {}", counted(count, "difference")),
        Some("deferred") => "would wait".to_owned(),
        Some("superseded") => "would not be tried".to_owned(),
        _ => format!("would be REJECTED ({})", text(&plan["class"])),
    }
}

fn problems(plan: &Value, screen: &mut Screen) {
    if let Some(reason) = plan["reason"].as_str() {
        screen.row("because", reason);
    }
    for (list, word) in [("problems", "error"), ("warnings", "warning")] {
        for problem in plan[list].as_array().into_iter().flatten() {
            let place = match (problem["file"].as_str(), problem["line"].as_u64()) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                (Some(file), None) => format!("{file}: "),
                _ => String::new(),
            };
            let help = problem["help"].as_str().map_or_else(String::new, |help| format!(" ({help})"));
            let message = format!("{}: {}{help}", text(&problem["key"]), text(&problem["message"]));
            screen.line(&format!("{word}: {place}{message}"));
        }
    }
    if let Some(more) = plan["problems_left_out"].as_u64().filter(|more| *more > 0) {
        screen.line(&format!("and {more} more errors"));
    }
}
