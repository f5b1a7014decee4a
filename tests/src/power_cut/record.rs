//! The record of an apply: a real gateway follows a control plane while its operations on the disk are recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use harmony_host::power_cut::{Operation, start_recording, stop_recording};
use harmony_host::{Host, HostOptions};
use provider_api::{Registry, Secret};
use provider_local::LocalFactory;
use provider_runbeam::{Environment, RunbeamFactory};

use super::disk::Tree;
use super::run::Scenario;
use crate::control_plane::{ControlPlane, Status};
use crate::site::{echo, on_ports};
use crate::{NullActivation, RUNBEAM_CONFIG, Workdir};

/// A change of the record, and its file before and after it.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) id: String,
    pub(super) file: PathBuf,
    pub(super) old: Option<Vec<u8>>,
    pub(super) new: Vec<u8>,
}

/// The record of an apply.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) dir: Workdir,
    /// The tree before it.
    pub(super) base: Tree,
    pub(super) operations: Vec<Operation>,
    /// The status of each change at the control plane before each operation, and at the end.
    pub(super) statuses: Vec<BTreeMap<String, Status>>,
    pub(super) changes: Vec<Recorded>,
}

/// The longest time for the verdicts.
const LIMIT: Duration = Duration::from_secs(60);

/// Records the apply of a scenario.
///
/// # Errors
/// The gateway did not start, or did not apply a change.
pub(super) async fn record(scenario: Scenario) -> Result<Record, String> {
    let cloud = Arc::new(ControlPlane::start().await);
    let token = cloud.authorize("acme", "edge").to_string();
    let dir = Workdir::new();
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "0");
    // Nothing listens: the application serves nothing.
    dir.write("config.toml", &on_ports(&config, 1, 2));
    dir.write("pipelines/by-hand.toml", "# written by hand\n");
    let host = start(&dir, &token).await?;
    let names: Vec<String> = (0..scenario.changes()).map(|n| format!("p{n}")).collect();
    if scenario.replaces() {
        let ids: Vec<String> = names
            .iter()
            .map(|name| cloud.change("edge", "pipeline", &echo(name, &format!("/{name}"))))
            .collect();
        applied(&host, &cloud, &ids).await?;
    }
    let base = read(dir.path())?;
    let issue = |name: &String| cloud.change("edge", "pipeline", &echo(name, &format!("/{name}/new")));
    let ids: Vec<String> = names.iter().map(issue).collect();
    let mark = {
        let (cloud, ids) = (Arc::clone(&cloud), ids.clone());
        move || ids.iter().map(|id| format!("{:?}", cloud.view(id).status)).collect::<Vec<_>>().join(" ")
    };
    start_recording(mark.clone());
    let result = applied(&host, &cloud, &ids).await;
    // The verdicts are noted, and the good configuration is saved, after they are told.
    host.shut_down(Duration::from_secs(10)).await;
    let recorded = stop_recording();
    result?;
    let after = read(dir.path())?;
    let statuses = recorded.iter().map(|(_, mark)| mark.clone()).chain([mark()]);
    let statuses =
        statuses.map(|mark| ids.iter().cloned().zip(mark.split(' ').map(status)).collect()).collect();
    let operations = recorded.into_iter().map(|(operation, _)| operation).collect();
    let changes = names.iter().zip(ids).map(|(name, id)| {
        let marker = format!("[pipelines.{name}]");
        let is_its = |content: &Option<Vec<u8>>| {
            content.as_ref().is_some_and(|content| String::from_utf8_lossy(content).contains(&marker))
        };
        let below = dir.path().join("pipelines");
        let found = after.iter().find(|(path, content)| path.starts_with(&below) && is_its(content));
        let (file, new) = found.ok_or_else(|| format!("no file has the pipeline {name}"))?;
        let old = base.get(file).cloned().flatten();
        Ok(Recorded { id, file: file.clone(), old, new: new.clone().unwrap_or_default() })
    });
    let changes = changes.collect::<Result<Vec<_>, String>>()?;
    Ok(Record { dir, base, operations, statuses, changes })
}

async fn start(dir: &Workdir, token: &str) -> Result<Host, String> {
    let environment =
        Environment { machine_token: Some(Secret::new(token.to_owned())), ..Environment::default() };
    let mut registry = Registry::new();
    registry.register(LocalFactory).register(RunbeamFactory::new(environment));
    let mut options = HostOptions::new(dir.config(), registry);
    options.state_dir = dir.path().join("state");
    Host::start(options, NullActivation::default()).await.map_err(|rejection| rejection.to_string())
}

async fn applied(host: &Host, cloud: &ControlPlane, ids: &[String]) -> Result<(), String> {
    let told = async {
        while !ids.iter().all(|id| cloud.view(id).status == Status::Applied) {
            host.sync().await;
            if let Some(failed) = ids.iter().find(|id| cloud.view(id).status == Status::Failed) {
                return Err(cloud.view(failed).error_message.unwrap_or_default());
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    tokio::time::timeout(LIMIT, told).await.map_err(|_| "a change got no verdict".to_owned())?
}

fn status(text: &str) -> Status {
    match text {
        "Applied" => Status::Applied,
        "Acknowledged" => Status::Acknowledged,
        "Failed" => Status::Failed,
        _ => Status::Pending,
    }
}

/// Reads a tree, its root included.
///
/// # Errors
/// The error of the operating system.
pub(super) fn read(root: &Path) -> Result<Tree, String> {
    let (mut tree, mut todo) = (Tree::new(), vec![root.to_owned()]);
    while let Some(next) = todo.pop() {
        let failed = |error: std::io::Error| format!("{}: {error}", next.display());
        if next.is_dir() {
            for entry in fs::read_dir(&next).map_err(failed)? {
                todo.push(entry.map_err(failed)?.path());
            }
            tree.insert(next, None);
        } else {
            let content = fs::read(&next).map_err(failed)?;
            tree.insert(next, Some(content));
        }
    }
    Ok(tree)
}
