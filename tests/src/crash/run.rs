//! Running the cases of the crash matrix.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::Instant;

use super::batch::{self, Ports};
use super::case::Case;
use super::check;
use super::gateway_run::GatewayRun;
use crate::control_plane::ControlPlane;
use crate::disk;
use crate::site::on_ports;
use crate::{RUNBEAM_CONFIG, Workdir, faulty_binary};

/// The result of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// The duration of the run.
    pub duration: Duration,
    /// Every problem found; empty if the run passed.
    pub problems: Vec<String>,
    /// The logs of all its processes.
    pub log: String,
}

/// The time a process keeps running after all changes have a verdict, before the failpoint counts as not reached.
const GRACE: Duration = Duration::from_secs(8);

/// Runs `cases`, at most `jobs` at a time, and yields each outcome when its run ends. A panic is an outcome too.
pub fn run_all(cases: Vec<Case>, jobs: usize) -> impl Stream<Item = Outcome> {
    let run_one = |case: Case| async move {
        let outcome = tokio::spawn(run(case)).await;
        outcome.unwrap_or_else(|panic| Outcome {
            case,
            duration: Duration::ZERO,
            problems: vec![panic.to_string()],
            log: String::new(),
        })
    };
    stream::iter(cases).map(run_one).buffer_unordered(jobs)
}

/// Runs one case.
pub async fn run(case: Case) -> Outcome {
    // The build is not part of the measured duration.
    let _ = tokio::task::spawn_blocking(faulty_binary).await;
    let (start, mut log) = (Instant::now(), String::new());
    let mut problems = execute(case, &mut log).await.unwrap_or_else(|error| vec![error]);
    problems.dedup();
    Outcome { case, duration: start.elapsed(), problems, log }
}

async fn execute(case: Case, log: &mut String) -> Result<Vec<String>, String> {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorize("acme", "edge").to_string();
    let ports = Ports::free();
    let (dir, home) = (Workdir::new(), Workdir::new());
    let config = RUNBEAM_CONFIG.replace("API", cloud.url()).replace("INTERVAL", "1");
    dir.write("config.toml", &on_ports(&config, ports.public, ports.admin));
    let mut items = batch::issue_all(&cloud, ports, case.network, case.seed);
    case.network.inject_into(&cloud);

    for kill in [Some(case.first), case.second].into_iter().flatten() {
        let mut gateway = GatewayRun::start((&dir, &home), case.mount, ports.admin, &token, Some(kill));
        let over = async {
            while check::check_verdicts(&cloud, &items).is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(GRACE).await;
        };
        let killed = tokio::time::timeout(4 * GRACE, gateway.until_killed(over)).await;
        append(log, &kill.to_string(), &gateway);
        killed
            .unwrap_or_else(|_| Err("the gateway was neither killed nor done".to_owned()))
            .map_err(|error| format!("{kill}: {error}"))?;
    }

    let mut gateway = GatewayRun::start((&dir, &home), case.mount, ports.admin, &token, None);
    let result = finish(&mut gateway, &cloud, &mut items, ports, &dir).await;
    append(log, "no kill", &gateway);
    let mut problems = result.unwrap_or_else(|error| vec![error]);
    problems.extend([&dir, &home].into_iter().flat_map(|dir| disk::leftover_files(dir.path())));
    problems.extend(check::applied_twice(&items, log));
    Ok(problems)
}

/// Lets the last process, which is not killed, settle every change, apply one more and stop.
async fn finish(
    gateway: &mut GatewayRun,
    cloud: &ControlPlane,
    items: &mut Vec<batch::Item>,
    ports: Ports,
    dir: &Workdir,
) -> Result<Vec<String>, String> {
    gateway.wait_until("the verdicts", || async { check::check_verdicts(cloud, items) }).await?;
    items.push(batch::issue_another(cloud, ports));
    gateway.wait_until("one more verdict", || async { check::check_verdicts(cloud, items) }).await?;
    let admin = gateway.admin();
    gateway.wait_until("an idle gateway", || check::check_idle(admin)).await?;
    let problems = check::problems(cloud, items, admin, dir.path()).await;
    gateway.stop().await?;
    Ok(problems)
}

fn append(log: &mut String, which: &str, gateway: &GatewayRun) {
    log.push_str(&format!("--- {which}\n{}\n", gateway.log()));
}
