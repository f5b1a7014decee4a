use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::Instant;

use super::batch::{self, Ports};
use super::case::Case;
use super::check;
use super::life::Life;
use crate::control_plane::ControlPlane;
use crate::site::on_ports;
use crate::traces;
use crate::{EDGE, Workdir, faulty_binary};

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which it was.
    pub case: Case,
    /// How long it took.
    pub took: Duration,
    /// Everything that was wrong.
    pub wrong: Vec<String>,
    /// What all its processes logged.
    pub log: String,
}

/// How long a process goes on after everything seems to be done, before its point counts as not reached.
const AFTER: Duration = Duration::from_secs(8);

/// Plays these cases, so many at a time. Gives each as it ends.
pub fn run_all(cases: Vec<Case>, at_a_time: usize) -> impl Stream<Item = Outcome> {
    let play = |case: Case| async move {
        let ended = tokio::spawn(run(case)).await;
        ended.unwrap_or_else(|panic| Outcome {
            case,
            took: Duration::ZERO,
            wrong: vec![panic.to_string()],
            log: String::new(),
        })
    };
    stream::iter(cases).map(play).buffer_unordered(at_a_time)
}

/// Plays one case.
pub async fn run(case: Case) -> Outcome {
    // Building it is no part of the run.
    let _ = tokio::task::spawn_blocking(faulty_binary).await;
    let (start, mut log) = (Instant::now(), String::new());
    let mut wrong = play(case, &mut log).await.unwrap_or_else(|why| vec![why]);
    wrong.dedup();
    Outcome { case, took: start.elapsed(), wrong, log }
}

async fn play(case: Case, log: &mut String) -> Result<Vec<String>, String> {
    let cloud = ControlPlane::start().await;
    let token = cloud.authorized("acme", "edge").to_string();
    let ports = Ports::free();
    let dir = Workdir::new();
    let config = EDGE.replace("API", cloud.url()).replace("INTERVAL", "1");
    dir.write("config.toml", &on_ports(&config, ports.public, ports.admin));
    let mut items = batch::put(&cloud, ports, case.wire, case.seed);
    case.wire.set_up(&cloud);

    for kill in [Some(case.first), case.second].into_iter().flatten() {
        let mut life = Life::begin(&dir, ports.admin, &token, Some(kill));
        let over = async {
            while check::settled(&cloud, &items).is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(AFTER).await;
        };
        let killed = tokio::time::timeout(4 * AFTER, life.until_killed(over)).await;
        note(log, &kill.to_string(), &life);
        killed
            .unwrap_or_else(|_| Err("neither killed nor done".to_owned()))
            .map_err(|why| format!("{kill}: {why}"))?;
    }

    let mut life = Life::begin(&dir, ports.admin, &token, None);
    let ended = last(&mut life, &cloud, &mut items, ports, &dir).await;
    note(log, "to the end", &life);
    let mut wrong = ended.unwrap_or_else(|why| vec![why]);
    wrong.extend(traces::left_behind(dir.path()));
    wrong.extend(check::applied_twice(&items, log));
    Ok(wrong)
}

/// The process that nobody kills: everything comes to its end, another change is applied as ever, and it stops.
async fn last(
    life: &mut Life,
    cloud: &ControlPlane,
    items: &mut Vec<batch::Item>,
    ports: Ports,
    dir: &Workdir,
) -> Result<Vec<String>, String> {
    life.until("the verdicts", || async { check::settled(cloud, items) }).await?;
    items.push(batch::put_another(cloud, ports));
    life.until("one more verdict", || async { check::settled(cloud, items) }).await?;
    let admin = life.admin();
    life.until("rest", || check::at_rest(admin)).await?;
    let wrong = check::wrong(cloud, items, admin, dir.path()).await;
    life.end().await?;
    Ok(wrong)
}

fn note(log: &mut String, which: &str, life: &Life) {
    log.push_str(&format!("--- {which}\n{}\n", life.log()));
}
